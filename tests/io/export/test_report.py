"""Reports: all that is known, and nothing that runs or loads."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from napari_sa2va.annotation import Turn
from napari_sa2va.io.export import export
from napari_sa2va.io.export.report import escaped

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

NASTY = (
    '<script>alert(1)</script><img src="https://x.org/a.png" onerror=alert(2)>'
    "\n![a](https://x.org/b.png) [c](javascript:alert(3)) | <https://x.org>\n# h\n1. a `b` &amp;"
)


class Reader(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def nasty(stack: Annotations) -> Annotations:
    one, *others = stack.records
    bad = replace(one, phrase=NASTY, note=NASTY, description=NASTY)
    return replace(stack, name=NASTY, records=(bad, *others), turns=(Turn(NASTY, NASTY),))


def test_html_shows_all_and_runs_nothing(nasty: Annotations, tmp_path: Path) -> None:
    export(nasty, "html", tmp_path / "x.html")
    reader = Reader()
    reader.feed((tmp_path / "x.html").read_text(encoding="utf-8"))
    assert reader.tags.count("img") == 1
    assert not {"script", "a", "link", "iframe", "object", "base", "form"} & set(reader.tags)
    loads = [value or "" for name, value in reader.attributes if name in ("src", "href")]
    assert [source[:22] for source in loads] == ["data:image/png;base64,"]
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    policy = dict(reader.attributes)["content"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert reader.text.count(NASTY.splitlines()[0]) >= 5  # as text, wherever it was


def test_markdown_holds_no_links_html_or_headings_of_others(
    nasty: Annotations, tmp_path: Path
) -> None:
    export(nasty, "markdown", tmp_path / "x.md")
    text = (tmp_path / "x.md").read_text(encoding="utf-8")
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", text)  # without what is escaped
    assert "<" not in bare
    assert bare.count("](") == 1  # our own picture
    assert [line for line in bare.splitlines() if line.startswith("#")][1:] == [
        "## Objects",
        "## Conversation",
        "## Methods",
    ]
    rows = [line for line in bare.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {12}
    with Image.open(tmp_path / "x_picture.png") as picture:
        assert picture.size == (50 * 13, 40 * 13)


def test_a_chosen_colour_is_that_of_the_picture_and_control_characters_go(
    plane: Annotations, tmp_path: Path
) -> None:
    import numpy as np

    orange = replace(plane.records[0], color="#ff8800", phrase="a\x07b")
    labels = np.ones((600, 600), np.uint8)
    export(
        replace(plane, labels=labels, records=(orange,), pictures=None),
        "markdown",
        tmp_path / "x.md",
    )
    text = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert "a b" in text
    assert not set(map(ord, text)) & {*range(9), *range(14, 32)}
    with Image.open(tmp_path / "x_picture.png") as picture:
        red, green, blue = np.asarray(picture)[0, 0].tolist()
    assert (red, green, blue) == (99, 63, 22)  # 0.3 of it, 0.7 of the gray without an image


def test_the_methods_name_model_weights_versions_and_settings(
    stack: Annotations, tmp_path: Path
) -> None:
    settings = {**stack.provenance.settings, "chat": {"runs": 3}}
    talked = replace(stack, provenance=replace(stack.provenance, settings=settings))
    export(talked, "html", tmp_path / "x.html")
    reader = Reader()
    reader.feed((tmp_path / "x.html").read_text(encoding="utf-8"))
    told = reader.text
    for wanted in (
        "demo (weights sha256:abc, on cpu in float32)",
        "torch ",
        "Questions about single planes: 2 runs.",
        "Questions in a conversation: 3 runs.",
        "3 objects: 3 proposed. 1 of them drawn or painted by a person.",
        "A pixel is 0.5 by 0.25 µm",
        "frames 30 s",
        "neither a measurement nor a diagnosis",
        stack.records[1].phrase,
        "<script>alert(1)</script> ■ 1.",
    ):
        assert wanted in told, wanted


def test_without_image_or_objects_there_is_still_a_report(
    plane: Annotations, tmp_path: Path
) -> None:
    import numpy as np

    empty = replace(plane, labels=np.zeros((40, 50), np.uint8), records=(), pictures=None, turns=())
    for name in ("html", "markdown"):
        notes = export(empty, name, tmp_path / f"x.{name}")
        assert any("not known here" in note for note in notes)
        assert "None." in (tmp_path / f"x.{name}").read_text(encoding="utf-8")


def test_a_thousand_objects_are_coloured_without_numbers(tmp_path: Path) -> None:
    import numpy as np

    from napari_sa2va.io.export.from_layers import plain_annotations

    labels = np.arange(1024).reshape(32, 32).repeat(4, axis=0).repeat(4, axis=1)
    export(plain_annotations("x", labels), "markdown", tmp_path / "x.md")
    with Image.open(tmp_path / "x_picture.png") as picture:
        assert picture.size == (128, 128)
        assert len(set(np.asarray(picture).reshape(-1, 3).sum(axis=1).tolist())) > 50


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a*b\n- c", r"a\*b - c"),
        ("- c", r"\- c"),
        ("12. c 0.5", r"12\. c 0.5"),
        ("# h", r"\# h"),
        ("https://x.org www.x.org a@x.org", r"https\://x.org www\.x.org a\@x.org"),
        ("sha256:abc (0.5)", "sha256:abc (0.5)"),
        ("\\[a](b) ![c](d)", r"\\\[a\](b) !\[c\](d)"),
    ],
)
def test_what_means_something_in_markdown_is_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected
