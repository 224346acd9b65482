"""Models by name: listed, fetched, found, removed and added."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.zoo import catalogue, library, shelf
from napari_sa2va.zoo.cache import Repository
from napari_sa2va.zoo.catalogue import CATALOGUE
from napari_sa2va.zoo.download_errors import DownloadError
from napari_sa2va.zoo.machine import Device
from napari_sa2va.zoo.manager import add_model, get_model, model_path, remove_model, repair_model
from napari_sa2va.zoo.resolve import resolve
from napari_sa2va.zoo.sam2 import SAM2_FILE, SAM2_HUB_ID, local_sam2_file
from napari_sa2va.zoo.shelf import models, recommended

if TYPE_CHECKING:
    from pathlib import Path

    from tests.zoo.hub_server import Hub

GIB = 1024**3
LAPTOP = Device("cpu", "a processor", 16 * GIB, 12 * GIB)
SERVER = Device("cpu", "a processor", 256 * GIB, 200 * GIB)
CARD = Device("mps", "a GPU", 24 * GIB, 22 * GIB)
TABLET = Device("cpu", "a processor", 2 * GIB, GIB)


# --- the list


def test_all_are_listed_and_the_recommended_one_is_first(private_cache: Path) -> None:
    found = models(LAPTOP)
    assert {model.name for model in found} == {c.name for c in CATALOGUE} | {"sam2"}
    assert found[0].recommended
    assert [model.recommended for model in found].count(True) == 1
    by_name = {model.name: model for model in found}
    assert by_name["demo"].here
    assert by_name["demo"].fits_now
    large = by_name["Sa2VA-InternVL3-14B"]
    assert (large.here, large.on_disk, large.fits) == (False, 0, False)
    assert large.download == pytest.approx(2 * 15.4e9, rel=0.01)
    assert by_name["sam2"].hub_id == SAM2_HUB_ID


def test_the_recommended_one_is_of_use() -> None:
    assert recommended(TABLET) == "demo"
    sizes = {c.name: c.parameters for c in CATALOGUE}
    assert 2e9 < sizes[recommended(LAPTOP)] < 3e9
    assert recommended(SERVER) == recommended(LAPTOP)  # more would be too slow without a GPU
    assert sizes[recommended(CARD)] > sizes[recommended(LAPTOP)]


def test_what_fits_only_when_others_are_closed() -> None:
    busy = Device("cpu", "", 16 * GIB, 2 * GIB)
    (line,) = (model for model in models(busy) if model.name == "Sa2VA-1B")
    assert (line.fits, line.fits_now) == (True, False)


def test_unknown_memory_forbids_nothing() -> None:
    assert all(model.fits is None for model in models(Device("cpu", "", 0, 0)))


# --- names of one's own


def test_a_folder_of_one_s_own(tiny_checkpoint: Path, private_cache: Path) -> None:
    add_model("Our cells", str(tiny_checkpoint))
    assert resolve("our CELLS") == tiny_checkpoint
    assert model_path("our cells") == tiny_checkpoint
    assert get_model("our cells") == tiny_checkpoint
    (line,) = (model for model in models(LAPTOP) if model.added)
    assert line.here
    assert line.need is not None and line.need.weights == 34 * 4
    assert line.on_disk > 0
    (tiny_checkpoint / "model.safetensors").write_bytes(b"")
    (line,) = (model for model in models(LAPTOP) if model.added)
    assert line.problem is not None and "damaged" in line.problem
    done = remove_model("our cells")
    assert (done.kept, done.freed) == (str(tiny_checkpoint), 0)
    assert (tiny_checkpoint / "config.json").is_file()
    with pytest.raises(CheckpointError):
        resolve("our cells")


def test_a_folder_that_went_away(tiny_checkpoint: Path, private_cache: Path) -> None:
    add_model("ours", str(tiny_checkpoint))
    tiny_checkpoint.rename(tiny_checkpoint.with_name("elsewhere"))
    with pytest.raises(CheckpointError, match="Connect its drive"):
        resolve("ours")
    (line,) = (model for model in models(LAPTOP) if model.added)
    assert line.problem is not None and not line.here


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("demo", "lab/cells", "known model"),
        ("Sa2VA-4B", "lab/cells", "known model"),
        ("sam2", "lab/cells", "known model"),
        ("ours", "no folder", "no Hub id looks so"),
        ("ours", "/no/such/folder", "no Hub id looks so"),
        ("a/b", "lab/cells", "cannot be a model's name"),
    ],
)
def test_what_cannot_be_added(private_cache: Path, name: str, where: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        add_model(name, where)
    assert library.load().added == {}


def test_a_folder_without_a_checkpoint_is_not_added(tmp_path: Path, private_cache: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        add_model("ours", str(tmp_path))
    assert library.load().added == {}


def test_a_hub_id_of_one_s_own(
    hub: Hub, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model("ours", "someone/tiny")
    assert hub.requests == []  # nothing is asked before it is wanted
    with pytest.raises(CheckpointError, match="napari-sa2va models get ours"):
        model_path("ours")
    hub.tags = ("pytorch", "license:mit")
    folder = get_model("ours", endpoint=hub.address)
    assert model_path("ours") == folder == resolve("someone/tiny", download=False)
    (line,) = (model for model in models(LAPTOP) if model.added)
    assert (line.here, line.revision, line.license) == (True, hub.commit, "mit")
    assert "region prompts" in line.can  # by its family
    hub.requests.clear()
    assert get_model("ours", endpoint=hub.address) == folder
    assert hub.requests == []
    hub.commit = "b" * 40
    assert get_model("ours", update=True, endpoint=hub.address).name == "b" * 40
    done = remove_model("ours")
    assert done.unlisted == "ours"
    assert done.freed > 500
    assert not Repository("someone/tiny").folder.exists()


def test_what_is_damaged_or_missing_is_fetched_anew(hub: Hub, private_cache: Path) -> None:
    add_model("ours", "someone/tiny")
    hub.add("tokenizer.json", b"{}")
    folder = get_model("ours", endpoint=hub.address)
    hub.requests.clear()
    assert repair_model("ours", endpoint=hub.address) == ()
    assert not any("/resolve/" in path for path in hub.requests)
    weights = (folder / "model.safetensors").resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (folder / "config.json").resolve().unlink()
    (folder / "tokenizer.json").unlink()  # its name alone: the file itself is there
    (line,) = (model for model in models(LAPTOP) if model.added)
    assert not line.here
    found = repair_model("ours", endpoint=hub.address)
    assert set(found) == {"model.safetensors", "config.json"}
    for name, right in hub.contents().items():
        assert (folder / name).read_bytes() == right
    assert model_path("ours") == folder


def test_a_repair_changes_no_version(hub: Hub, private_cache: Path) -> None:
    folder = get_model("someone/tiny", endpoint=hub.address)
    noted = library.load().fetched["someone/tiny"]
    blob = (folder / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-7])
    old, hub.commit = hub.commit, "b" * 40  # the Hub has a newer one by now, and not that alone
    with pytest.raises(DownloadError, match="no such revision"):
        repair_model("someone/tiny", endpoint=hub.address)
    hub.commit = old
    assert repair_model("someone/tiny", endpoint=hub.address) == ("model.safetensors",)
    again = library.load().fetched["someone/tiny"]
    assert (again.commit, again.revision) == (noted.commit, "main")


def test_what_no_hub_can_repair(private_cache: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(InvalidInput, match="install napari-sa2va again"):
        repair_model("demo")
    add_model("ours", str(tiny_checkpoint))
    with pytest.raises(InvalidInput, match="folder of your own"):
        repair_model("ours")


# --- known ones


def test_an_unfinished_download_is_shown(private_cache: Path) -> None:
    blobs = Repository("ByteDance/Sa2VA-1B").folder / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "x.incomplete").write_bytes(b"x" * 5000)
    (line,) = (model for model in models(LAPTOP) if model.name == "Sa2VA-1B")
    assert (line.here, line.on_disk) == (False, 5000)
    assert remove_model("Sa2VA-1B").freed == 5000


def test_what_is_not_here_cannot_be_removed(private_cache: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing of Sa2VA-1B"):
        remove_model("Sa2VA-1B")
    with pytest.raises(InvalidInput, match="part of the package"):
        remove_model("demo")
    with pytest.raises(InvalidInput, match="yours to delete"):
        remove_model(str(tiny_checkpoint))
    with pytest.raises(CheckpointError, match="There is no model 'no such'"):
        remove_model("no such")


def test_an_unsupported_one_is_not_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(CATALOGUE[1], name="Old", hub_id="lab/old", unsupported="too old")
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, known))
    with pytest.raises(CheckpointError, match="Old cannot be used: too old"):
        get_model("old", endpoint=hub.address)
    assert hub.requests == []


def test_sam2_s_file_is_one_of_the_downloads(hub: Hub, private_cache: Path) -> None:
    hub.repository = SAM2_HUB_ID
    hub.add(SAM2_FILE, b"weights of SAM 2.0")
    hub.add("other.pt", b"not asked for")
    assert local_sam2_file() is None
    with pytest.raises(CheckpointError, match="models get sam2"):
        model_path("sam2")
    file = get_model("sam2", endpoint=hub.address)
    assert file.read_bytes() == b"weights of SAM 2.0"
    assert {path.name for path in file.parent.iterdir()} == {SAM2_FILE}
    assert model_path("SAM2") == local_sam2_file() == file
    line = models(LAPTOP)[-1]
    assert (line.name, line.here) == (shelf.SAM2_NAME, True)
    assert remove_model("sam2").freed >= 18
    assert local_sam2_file() is None
