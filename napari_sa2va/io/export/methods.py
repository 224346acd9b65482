"""A paragraph for the methods section, of what is known and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.session.log import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sa2va.io.export.annotations import Annotations
    from napari_sa2va.io.export.provenance import UsedModel

_REQUESTS: Final = {
    "ask": "questions about single planes",
    "chat": "questions in a conversation",
    "track": "tracking of what was asked for",
    "refine": "corrections by clicks, boxes or scribbles",
    "follow": "tracking of given masks",
}


def methods(annotations: Annotations) -> str:
    """Describe how the annotations were made, for a reader who wants to do it again."""
    about = annotations.provenance
    said = [_begin(about.versions)]
    if about.models:
        said.append(f"Model{'s' if len(about.models) > 1 else ''}: {_models(about.models)}.")
    for kind, options in about.settings.items():
        said.append(_requests(kind, options))
    if about.session:
        recorded = f" by napari-sa2va {about.plugin}" if about.plugin else ""
        begun = f", begun {about.created}" if about.created else ""
        said.append(f"Every step is in the session {about.session}, recorded{recorded}{begun}.")
    said.append(_objects(annotations))
    said.append(_scale(annotations))
    return " ".join(filter(None, said))


def _begin(versions: Mapping[str, str]) -> str:
    names = [f"{name} {version}" for name, version in versions.items() if name != "napari-sa2va"]
    own = versions.get("napari-sa2va", "")
    with_others = f", with {', '.join(names)} at the time of this export" if names else ""
    return f"Objects were annotated with napari-sa2va {own}{with_others}."


def _models(models: Sequence[UsedModel]) -> str:
    described = []
    for model in models:
        further = [
            f"revision {model.revision}" if model.revision else "",
            f"weights {model.weights}" if model.weights else "weights of unknown hash",
            " in ".join(filter(None, (model.device and f"on {model.device}", model.dtype))),
        ]
        described.append(f"{model.name} ({', '.join(filter(None, further))})")
    return "; ".join(described)


def _requests(kind: str, options: Any) -> str:
    """Say how often something was asked for, and with which options."""
    told = dict(options)
    runs = told.pop("runs", 0)
    name = _REQUESTS.get(kind, kind)
    settings = ", ".join(
        f"{key} {value if isinstance(value, str) else json_text(value)}"
        for key, value in told.items()
    )
    return f"{name.capitalize()}: {runs} run{'s' if runs != 1 else ''}" + (
        f" (of the last: {settings})." if settings else "."
    )


def _objects(annotations: Annotations) -> str:
    records = annotations.records
    if not records:
        return ""
    counts = Counter(record.shown_status for record in records)
    states = ", ".join(f"{count} {status}" for status, count in counts.items())
    drawn = sum(record.author == "user" for record in records)
    by_hand = f" {drawn} of them drawn or painted by a person." if drawn else ""
    return f"{len(records)} objects: {states}.{by_hand}"


def _scale(annotations: Annotations) -> str:
    size = annotations.space.pixel_size
    if size is None:
        return "The size of a pixel is not known."
    said = f"A pixel is {size[0]:g} by {size[1]:g} µm (height by width)"
    depth, interval = annotations.space.step("z"), annotations.space.step("t")
    if depth is not None:
        said += f", planes are {depth:g} µm apart"
    if interval is not None:
        said += f", frames {interval:g} s"
    return said + "."
