"""Expressions mean the cells that a reader would point at."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from napari_sa2va.samples.expressions import (
    ABSENT_SHARE,
    FORMS,
    Form,
    draw_expression,
    meant,
    phrase,
)
from napari_sa2va.samples.scenes import Cell, Scene, make_scene

_CELL = Cell(
    color="red",
    size="large",
    shape="round",
    x=60.0,
    y=60.0,
    radius=25.0,
    angle=0.0,
    wobble=(0.0, 0.0, 0.0, 0.0),
    tint=(1.0, 1.0, 1.0),
)
_SCENE = Scene(
    seed=0,
    side=256,
    cells=(
        _CELL,
        replace(_CELL, size="small", radius=12.0, x=200.0),
        replace(_CELL, color="blue", shape="ring-shaped", y=200.0, radius=21.0),
    ),
)


def _matching(scene: Scene, wanted: dict[str, str]) -> list[int]:
    cells = enumerate(scene.cells)
    return [i for i, c in cells if all(getattr(c, name) == v for name, v in wanted.items())]


@pytest.mark.parametrize(
    ("form", "wanted", "extra", "expected"),
    [
        (Form(("color",)), {"color": "blue"}, "", [2]),
        (Form(("color",)), {"color": "red"}, "", None),  # two of them: ambiguous
        (Form(("color",)), {"color": "green"}, "", []),
        (Form(("size", "color")), {"size": "small", "color": "red"}, "", [1]),
        (Form(("color",), "all"), {"color": "red"}, "", [0, 1]),
        (Form(("color",), "place"), {"color": "red"}, "on the left", [0]),
        (Form(("color",), "place"), {"color": "red"}, "on the right", [1]),
        (Form(("color",), "place"), {"color": "blue"}, "at the top", []),
        (Form((), "superlative"), {}, "largest", [0]),
        (Form((), "superlative"), {}, "bottommost", [2]),
        (Form(("color",), "superlative"), {"color": "red"}, "smallest", [1]),
    ],
)
def test_targets(
    form: Form, wanted: dict[str, str], extra: str, expected: list[int] | None
) -> None:
    matching = _matching(_SCENE, wanted)
    assert meant(_SCENE, form, matching, extra) == expected


def test_a_cell_in_the_middle_is_neither_left_nor_right() -> None:
    scene = replace(_SCENE, cells=(replace(_CELL, x=128.0),))
    for place in ("on the left", "on the right"):
        assert meant(scene, Form(("color",), "place"), [0], place) is None


def test_phrase_reads_as_a_person_would_write_it() -> None:
    wanted = {"size": "large", "color": "red"}
    assert phrase(Form(("size", "color")), wanted) == "the large red cell"
    assert phrase(Form(("color",), "all"), {"color": "blue"}) == "all blue cells"
    form = Form(("color",), "place")
    assert phrase(form, {"color": "green"}, "on the left") == "the green cell on the left"
    assert phrase(Form((), "superlative"), {}, "largest") == "the largest cell"


def test_forms_do_not_give_absence_away() -> None:
    """Within each form that can be absent, about the same share is."""
    rng = np.random.default_rng(0)
    drawn: Counter[Form] = Counter()
    absent: dict[Form, int] = defaultdict(int)
    forms = [f for f in FORMS if f.attributes]
    for seed in range(150):
        scene = make_scene(seed)
        for form in forms[seed % 3 :: 3]:
            expression = draw_expression(scene, rng, form)
            if expression is not None:
                drawn[form] += 1
                absent[form] += not expression.targets
    for form in forms:
        error = 3 * np.sqrt(ABSENT_SHARE * (1 - ABSENT_SHARE) / drawn[form])
        assert absent[form] / drawn[form] == pytest.approx(ABSENT_SHARE, abs=error + 0.05), form
