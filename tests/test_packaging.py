"""What a user installs: metadata, manifest, files in the package, and the README's promises."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_sa2va
from napari_sa2va.frames import MOVIE_SUFFIXES

ROOT = Path(__file__).parent.parent
PACKAGE = Path(napari_sa2va.__file__).parent
MANIFEST = PACKAGE / "napari.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

RUN_DEMO = 'python -m pip install ".[all]" && napari-sa2va demo'
RUN_TESTS = 'python -m pip install -e ".[all,test]" && python -m pytest'

# Only what an extra brings; code that needs it says so.
OPTIONAL = {"training/curves.py": {"matplotlib"}, "training/trained_parts.py": {"peft"}}
# npe2 reads our manifest, napari makes widgets with magicgui, sam2 resizes with torchvision.
NEEDED_BY_OTHERS = {"magicgui", "npe2", "torchvision"}
DISTRIBUTION_OF = {"PIL": "pillow", "skimage": "scikit-image"}


def test_one_version() -> None:
    version = napari_sa2va.__version__
    assert metadata.version("napari-sa2va") == version
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_entry_points() -> None:
    points = {
        (p.group, p.name): p.value for p in metadata.distribution("napari-sa2va").entry_points
    }
    assert points[("console_scripts", "napari-sa2va")] == "napari_sa2va.cli:main"
    assert points[("napari.manifest", "napari-sa2va")] == "napari_sa2va:napari.yaml"


def test_the_manifest_names_things_that_exist() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()


def test_the_manifest_offers_widget_menu_samples_and_reader() -> None:
    contributions = PluginManifest.from_file(MANIFEST).contributions
    assert [widget.display_name for widget in contributions.widgets or []] == ["Sa2VA"]
    assert contributions.menus is not None
    items = contributions.menus["napari/layers/segment"]
    assert [getattr(item, "command", None) for item in items] == ["napari-sa2va.open"]
    assert [s.key for s in contributions.sample_data or []] == ["cells", "movie", "z_stack"]
    readers = {reader.command: reader for reader in contributions.readers or []}
    reader = readers["napari-sa2va.read_movie"]
    assert set(reader.filename_patterns) == {f"*{suffix}" for suffix in MOVIE_SUFFIXES}
    assert not contributions.keybindings  # napari 0.9 ignores them
    # In the command palette a reader or writer could do nothing.
    off = {command.id for command in contributions.commands or [] if command.enablement == "False"}
    assert off == set(readers) | {writer.command for writer in contributions.writers or []}


def test_settings_have_the_defaults_that_the_code_counts_on() -> None:
    configurations = PluginManifest.from_file(MANIFEST).contributions.configurations
    assert configurations is not None
    defaults = {
        f"{section}.{name}": setting.default
        for section, contribution in configurations.items()
        for name, setting in contribution.properties.items()
        if section != "keys"  # tests/widgets/test_shortcuts.py
    }
    assert defaults == {
        "model.device": "auto",
        "model.dtype": "auto",
        "cache.megabytes": 2048,
        "results.folder": "",
    }


def test_no_qt_binding_is_forced_on_a_user() -> None:
    base = " ".join(PROJECT["dependencies"]).lower()
    assert not re.search(r"pyqt|pyside|napari\[", base)
    assert PROJECT["optional-dependencies"]["all"] == ["napari[all]", "napari-sa2va[export]"]


def test_every_pin_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    pins = [i for i, line in enumerate(lines) if re.match(r'\s+"[\w\[\]-]+[^"]*(==|<|~=)', line)]
    assert pins
    for index in pins:
        assert lines[index - 1].lstrip().startswith("#"), lines[index]


def imported_packages(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"napari_sa2va"}


def test_what_is_imported_is_declared() -> None:
    declared = {re.split(r"[<>=!~\[ ]", line)[0] for line in PROJECT["dependencies"]}
    for path in PACKAGE.rglob("*.py"):
        optional = OPTIONAL.get(path.relative_to(PACKAGE).as_posix(), set())
        for module in imported_packages(path) - optional:
            name = DISTRIBUTION_OF.get(module, module)
            assert name in declared, f"{path.relative_to(ROOT)} imports {module}"


def test_every_dependency_is_imported_and_has_a_lower_bound() -> None:
    used = set().union(*(imported_packages(path) for path in PACKAGE.rglob("*.py")))
    names = {DISTRIBUTION_OF.get(module, module) for module in used}
    for line in PROJECT["dependencies"]:
        name = re.split(r"[<>=!~\[ ]", line)[0]
        assert re.search(r">=|==", line), line
        assert name in names | NEEDED_BY_OTHERS, f"{name} is declared and never imported"


def test_package_data_is_there() -> None:
    assert MANIFEST.is_file()
    assert (PACKAGE / "py.typed").is_file()


def test_the_demo_checkpoint_is_small_and_holds_no_code() -> None:
    files = [path for path in (PACKAGE / "samples" / "demo").rglob("*") if path.is_file()]
    assert {"config.json", "model.safetensors"} <= {path.name for path in files}
    assert sum(path.stat().st_size for path in files) <= 16 * 1024**2
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".txt", ".md"}


@pytest.mark.parametrize("command", [RUN_DEMO, RUN_TESTS])
def test_the_readme_s_commands(command: str) -> None:
    assert f"\n{command}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_what_the_readme_says() -> None:
    assert f"\n{RUN_TESTS}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_linked_files_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert linked
    missing = [path for path in linked if not (ROOT / path).exists()]
    assert not missing
