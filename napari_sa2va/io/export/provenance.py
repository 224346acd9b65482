"""What made the annotations: models, versions, settings."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import napari_sa2va

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_PACKAGES: Final = ("torch", "transformers", "sam2", "napari", "numpy")


@dataclass(frozen=True, slots=True)
class UsedModel:
    """A model that was asked.

    Attributes
    ----------
    name, device, dtype : str
    weights : str
        ``"sha256:…"``; empty if unknown.
    revision : str
        Of the repository; empty if unknown.
    """

    name: str
    device: str = ""
    dtype: str = ""
    weights: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where annotations come from.

    Attributes
    ----------
    models : tuple of UsedModel
        Each once, in the order of their first use.
    settings : mapping
        Of the runs, where they are known: for each kind of request how many there were, and its
        options.
    plugin : str
        Version of napari-sa2va that recorded them; empty if unknown.
    created : str
        When the session was begun.
    session : str
        Name of its folder.
    source : str
        What was exported, as `source_of` has it; empty if unknown.
    versions : mapping
        Of this package and those it builds on, at the time of the export.
    """

    models: tuple[UsedModel, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    plugin: str = ""
    created: str = ""
    session: str = ""
    source: str = ""
    versions: Mapping[str, str] = field(default_factory=lambda: versions())

    def detail(self) -> dict[str, Any]:
        """Return it as JSON has it; what is not known is left out."""
        said: dict[str, Any] = {
            "models": [
                {name: getattr(model, name) for name in model.__slots__ if getattr(model, name)}
                for model in self.models
            ],
            "settings": dict(self.settings),
            "recorded_by": self.plugin,
            "created": self.created,
            "session": self.session,
            "versions": dict(self.versions),
        }
        return {name: value for name, value in said.items() if value}

    def origin(self) -> dict[str, str]:
        """Return what a later export is known by as one of the same objects, where it is known."""
        said = {"session": self.session, "created": self.created, "source": self.source}
        return {name: value for name, value in said.items() if value}

    def is_that_of(self, said: Mapping[str, Any]) -> bool:
        """Whether another export, of which `origin` said this, was of the same objects.

        Sessions of several folders may have the same name, and so may files of labels. Of two of
        which nothing is known, as of layers that were never saved, nobody can tell.
        """
        for name in ("created", "source"):
            here, there = self.origin().get(name), said.get(name)
            if here and there:
                return bool(here == there)
        return False


def source_of(path: Path) -> str:
    """Return a mark of a session's folder or of a file of labels.

    It goes into files that are given to others, and so says nothing of where the path leads.
    """
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and those it builds on."""
    found = {"napari-sa2va": napari_sa2va.__version__, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # a writer may be used without the model's packages
            continue
    return found


def from_details(
    details: Iterable[Mapping[str, Any]], *, plugin: str = "", created: str = "", session: str = ""
) -> Provenance:
    """Gather what details of actions say of models and settings; others are passed over."""
    models: dict[UsedModel, None] = {}
    settings: dict[str, dict[str, Any]] = {}
    for detail in details:
        used = detail.get("used") or detail.get("model")
        if isinstance(used, dict) and used.get("name"):
            names = UsedModel.__slots__
            models[UsedModel(**{name: str(used.get(name) or "") for name in names})] = None
        kind = detail.get("request")
        if isinstance(kind, str):
            about = settings.setdefault(kind, {"runs": 0})
            about["runs"] += 1
            options = detail.get(kind)
            if isinstance(options, dict):
                about |= {name: value for name, value in options.items() if _is_option(value)}
    # A detail from before the model was loaded names less of it.
    fuller = {model.name for model in models if model.weights}
    kept = tuple(model for model in models if model.weights or model.name not in fuller)
    return Provenance(kept, settings, plugin, created, session)


def _is_option(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 8 and all(isinstance(part, int | float | str) for part in value)
    return isinstance(value, str | int | float | bool)
