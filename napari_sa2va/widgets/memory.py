"""What the dock remembers between starts."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from napari.settings import get_settings

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.viewer.preferences import PLUGIN


@dataclass(slots=True)
class DockState:
    """Choices that come back with the next start.

    Attributes
    ----------
    model : str
        ``"demo"``, a folder, or a Hub id.
    mode : str
        ``"segment"`` or ``"ask"``.
    overlap : str
        What becomes of labels that a mask covers: ``"keep"``, ``"replace"`` or ``"ask"``.
    split, captions : bool
        The other options of results.
    follow : str
        Name of the axis that objects are followed through; empty for the plane shown only.
    sam2_file : str
        A file with SAM2's original mask decoder; empty for none.
    folded : list of str
        Titles of the parts that are folded away.
    """

    model: str = "demo"
    mode: str = "segment"
    overlap: str = "keep"
    split: bool = False
    captions: bool = True
    follow: str = ""
    sam2_file: str = ""
    folded: list[str] = field(default_factory=lambda: ["Options"])

    @classmethod
    def load(cls) -> DockState:
        """Read the file; what is missing or unreadable is as at the first start."""
        path = _path()
        if path is None:
            return cls()
        try:
            stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            defaults = cls()
            known = {
                f.name: stored[f.name]
                for f in fields(cls)
                if isinstance(stored.get(f.name), type(getattr(defaults, f.name)))
            }
        except (OSError, ValueError, AttributeError):
            return cls()
        return cls(**known)

    def save(self) -> None:
        """Write the file, whole or not at all; a disk that refuses is no reason to stop."""
        path = _path()
        if path is None:
            return
        with suppress(InvalidInput), replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def _path() -> Path | None:
    """Beside napari's own settings, so that NAPARI_CONFIG moves it too."""
    settings = get_settings().config_path
    return None if settings is None else Path(settings).parent / f"{PLUGIN}-dock.json"
