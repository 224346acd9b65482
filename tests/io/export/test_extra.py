"""What only some formats need is declared, and asked for by name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import napari_sa2va

PACKAGE = Path(napari_sa2va.__file__).parent
EXTRAS = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


def test_the_extra_has_what_the_formats_ask_for() -> None:
    asked = {
        package
        for path in (PACKAGE / "io").rglob("*.py")
        for package in re.findall(r'needed\("[\w.]+", "([\w-]+)"', path.read_text(encoding="utf-8"))
    }
    assert asked == {re.split(r"[<>=]", line)[0] for line in EXTRAS["export"]}


def test_all_and_test_bring_it() -> None:
    for name in ("all", "test"):
        (ours,) = (one for one in EXTRAS[name] if one.startswith("napari-sa2va["))
        assert "export" in re.findall(r"\w+", ours.partition("[")[2])
