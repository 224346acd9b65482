"""The walls between the rooms: every line of the table in docs/architecture.md."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import napari_sa2va

PACKAGE = Path(napari_sa2va.__file__).parent

QT = frozenset(
    {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "superqt", "napari.qt", "napari._qt"}
)
NAPARI = frozenset({"napari"})
TORCH = frozenset({"torch", "torchvision", "transformers", "sam2", "safetensors.torch"})

# A room that may not know Qt or napari may not reach them through these rooms either.
ROOMS_WITH = {"qtpy": ("napari_sa2va.widgets",), "napari": ("napari_sa2va.viewer",)}

FORBIDDEN: dict[str, frozenset[str]] = {
    "model": NAPARI | QT,
    "zoo": NAPARI | QT,
    "frames": NAPARI | QT | TORCH,
    "viewer": TORCH,
    "engine": NAPARI | QT,
    "annotation": NAPARI | QT | TORCH,
    "io": QT,
    "widgets": TORCH,
    "training": NAPARI | QT,
    "samples": QT | TORCH,
    "cli": QT,
    "errors": NAPARI | QT | TORCH,
    "__init__": NAPARI | QT | TORCH,
}

# Where the table allows a forbidden import inside a function: the command `demo` opens a window.
LAZY_ALLOWED = {"cli": QT}


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    lazy: bool  # inside a function, so it happens only when that is called


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def all_modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(tree: ast.AST, lazy: bool = False) -> list[Import]:
    """Every import below `tree`, with ``from a import b`` counted as both ``a`` and ``a.b``."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [Import(name.name, node.lineno, lazy) for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
            found += [Import(name, node.lineno, lazy) for name in names]
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        found += imports_of(node, lazy or inside)
    return found


def belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def violations(room: str, imports: list[Import]) -> list[Import]:
    forbidden = set(FORBIDDEN[room])
    for package, rooms in ROOMS_WITH.items():
        if package in forbidden:
            forbidden.update(rooms)
    allowed = LAZY_ALLOWED.get(room, frozenset())
    if allowed:
        allowed |= {"napari_sa2va.widgets"}
    return [
        found
        for found in imports
        for package in forbidden
        if belongs(found.module, package) and not (found.lazy and package in allowed)
    ]


@pytest.mark.parametrize(
    "path", all_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    assert room in FORBIDDEN, f"docs/architecture.md and this test do not know the room {room!r}"
    wrong = violations(room, imports_of(ast.parse(path.read_text(encoding="utf-8"))))
    assert not wrong, [f"{path.name}:{found.line} imports {found.module}" for found in wrong]


def test_the_check_sees_hidden_imports() -> None:
    source = "def f():\n    from PyQt6 import QtCore\nif x:\n    import napari.layers as l\n"
    found = violations("model", imports_of(ast.parse(source)))
    assert {entry.module for entry in found} == {"PyQt6", "PyQt6.QtCore", "napari.layers"}
    assert violations("cli", imports_of(ast.parse("def demo():\n    import qtpy"))) == []
    assert violations("cli", imports_of(ast.parse("import qtpy")))


def modules_after(imports: list[str]) -> set[str]:
    """Names in ``sys.modules`` of a new Python after it imported `imports`."""
    code = (
        "import importlib, json, sys\n"
        f"for name in {imports!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def loaded(modules: set[str], packages: frozenset[str]) -> list[str]:
    return sorted(package for package in packages if package in modules)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = NAPARI | QT | TORCH | {"pandas", "skimage", "huggingface_hub"}
    assert loaded(modules_after(["napari_sa2va"]), heavy) == []


def test_what_the_model_says_is_read_without_torch() -> None:
    light = ["config", "names", "prompts", "results", "shards"]
    modules = modules_after([f"napari_sa2va.model.{name}" for name in light])
    assert loaded(modules, TORCH) == []
    assert "napari_sa2va.model.sa2va" not in modules


def test_the_model_is_where_it_is_expected() -> None:
    from napari_sa2va import model
    from napari_sa2va.model.sa2va import Sa2VA

    assert model.Sa2VA is napari_sa2va.Sa2VA is Sa2VA
    with pytest.raises(AttributeError, match="has no attribute 'Sa3VA'"):
        _ = model.Sa3VA


# What a room pulls in through others counts too, so each group is imported whole in a new Python.
# Rooms with the same rule share one.
GROUPS = [
    (("frames", "annotation"), NAPARI | QT | TORCH),
    (("samples",), QT | TORCH),
    (("viewer", "widgets"), TORCH),
    (("io",), QT),
    (("cli",), QT | TORCH | NAPARI),
    (("model", "zoo", "engine", "training"), NAPARI | QT),
]


@pytest.mark.parametrize(("rooms", "forbidden"), GROUPS, ids=lambda value: "-".join(sorted(value)))
def test_rooms_load_nothing_forbidden(rooms: tuple[str, ...], forbidden: frozenset[str]) -> None:
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in all_modules()
        if room_of(path) in rooms and path.stem != "__main__"
    ]
    assert loaded(modules_after(names), forbidden) == []
