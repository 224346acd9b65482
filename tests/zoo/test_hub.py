"""Downloads that go well, or that the user or the machine stops."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import Cancelled, CheckpointError
from napari_sa2va.zoo import before_download, library
from napari_sa2va.zoo.cache import Repository, cache_folder
from napari_sa2va.zoo.download_errors import (
    CacheNotWritable,
    DamagedDownload,
    NoConnection,
    NoRoom,
    NotACheckpoint,
    NotOnHub,
    Offline,
)
from napari_sa2va.zoo.hub import fetch, fetch_files, local_copy
from tests.zoo.hub_server import COMMIT, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sa2va.zoo.meter import DownloadState
    from tests.zoo.hub_server import Hub

ID = "someone/tiny"
FIRST = "model-00001-of-00002.safetensors"


def test_fetch_brings_data_and_no_code(sharded: Hub) -> None:
    told: list[tuple[str, float]] = []
    folder = fetch(ID, lambda text, done: told.append((text, done)), endpoint=sharded.address)
    served = sharded.contents()
    wanted = {name for name in served if not name.endswith((".py", ".bin"))}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: served[name] for name in wanted
    }
    assert not any(request.endswith((".py", ".bin")) for request in sharded.requests)
    fractions = [done for _, done in told]
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)
    assert ID in told[0][0]


def test_each_file_is_told(sharded: Hub) -> None:
    states: list[DownloadState] = []
    fetch_files(ID, report=states.append, endpoint=sharded.address)
    last = states[-1]
    assert last.done == last.size == sum(file.size for file in last.files)
    assert {file.name for file in last.files} >= {FIRST, "config.json"}
    assert last.files[0].name == "config.json"  # it tells whether the rest is of use
    assert {state.current for state in states} >= {file.name for file in last.files}
    assert "0 MiB" in last.text


def test_the_layout_is_huggingface_hub_s(sharded: Hub) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir

    folder = fetch(ID, endpoint=sharded.address)
    found = hf_hub_download(ID, "config.json", local_files_only=True)
    assert Path(found) == folder / "config.json"
    (repository,) = scan_cache_dir(cache_folder()).repos
    (revision,) = repository.revisions
    assert revision.commit_hash == COMMIT
    assert "main" in revision.refs
    assert (folder / FIRST).resolve().name == Path(folder / FIRST).resolve().name
    assert len((folder / FIRST).resolve().name) == 64


def test_a_whole_copy_is_used_without_asking(hub: Hub) -> None:
    first = fetch(ID, endpoint=hub.address)
    hub.requests.clear()
    assert fetch(ID, endpoint=hub.address) == first
    assert fetch(ID, endpoint="http://127.0.0.1:9", download=False) == first
    assert hub.requests == []


def test_a_partial_copy_is_completed(hub: Hub) -> None:
    folder = fetch(ID, endpoint=hub.address)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="not on this machine"):
        fetch(ID, download=False)
    assert (fetch(ID, endpoint=hub.address) / "model.safetensors").is_file()


def test_a_commit_is_kept_until_another_is_asked_for(hub: Hub) -> None:
    old = fetch(ID, endpoint=hub.address)
    noted = library.load().fetched[ID]
    assert (noted.commit, noted.revision, noted.source) == (COMMIT, "main", hub.address)
    hub.commit = "f" * 40
    hub.add("tokenizer.json", b"newer")
    assert fetch(ID, endpoint=hub.address) == old
    new = fetch_files(ID, endpoint=hub.address)
    assert new.name == "f" * 40
    assert fetch(ID, endpoint=hub.address) == new
    assert (new / "tokenizer.json").read_bytes() == b"newer"
    assert not (old / "tokenizer.json").exists()
    with pytest.raises(NotOnHub, match="no such revision"):
        fetch_files(ID, revision="v9", endpoint=hub.address)


def test_a_mirror_that_offers_another_commit_than_the_pinned_one(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = hub.info() | {"sha": "e" * 40}
    monkeypatch.setattr(hub, "info", lambda: other)
    with pytest.raises(DamagedDownload, match="another one was offered"):
        fetch_files(ID, revision=COMMIT, endpoint=hub.address)
    assert not any("/resolve/" in path for path in hub.requests)


def test_cancelling_keeps_what_has_arrived(sharded: Hub) -> None:
    seen: list[DownloadState] = []

    def cancelled() -> bool:
        return bool(seen) and seen[-1].current == FIRST and seen[-1].done > 1000

    with pytest.raises(Cancelled, match="goes on from there"):
        fetch_files(ID, report=seen.append, cancelled=cancelled, endpoint=sharded.address)
    assert local_copy(ID) is None
    sent = sharded.sent
    fetch(ID, endpoint=sharded.address)
    assert sharded.sent > sent


def test_a_download_goes_on_where_it_stopped(sharded: Hub, private_cache: Path) -> None:
    size = len(sharded.contents()[FIRST])
    sharded.faults = [Fault("cut", at=0.75, name=FIRST)]

    def cancelled() -> bool:
        arrived = [path.stat().st_size for path in private_cache.rglob("*.incomplete")]
        return bool(arrived) and arrived[0] >= int(0.75 * size)

    with pytest.raises(Cancelled):
        fetch_files(ID, cancelled=cancelled, endpoint=sharded.address)
    sharded.sent = 0
    folder = fetch(ID, endpoint=sharded.address)
    assert 0.25 * size < sharded.sent - size < 0.25 * size + 2000  # the other file, and the list
    assert (folder / FIRST).read_bytes() == sharded.contents()[FIRST]


def test_two_at_once_fetch_each_file_once(sharded: Hub) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(fetch_files, ID, endpoint=sharded.address) for _ in range(2)]
        first, second = (run.result(60) for run in runs)
    assert first == second
    gets = [path for path in sharded.requests if path.startswith("GET /store/")]
    assert len(gets) == len(set(gets)) == 2
    assert (first / FIRST).read_bytes() == sharded.contents()[FIRST]


def test_cancelled_before_it_begins(hub: Hub) -> None:
    with pytest.raises(Cancelled):
        fetch(ID, cancelled=lambda: True, endpoint=hub.address)
    assert hub.requests == []


def test_no_network_is_explained(hub: Hub) -> None:
    # Port 9 ("discard") has no listener here, so the connection is refused at once.
    with pytest.raises(NoConnection, match="Hub cannot be reached"):
        fetch(ID, endpoint="http://127.0.0.1:9")


@pytest.fixture
def through_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the proxy of the system."""
    from huggingface_hub.utils import close_session

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    def use(address: str) -> None:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, address)
        close_session()

    yield use
    monkeypatch.undo()
    close_session()


def test_a_proxy_is_used(hub: Hub, through_proxy: Callable[[str], None]) -> None:
    through_proxy(hub.address)
    assert fetch(ID, endpoint="http://hub.invalid").is_dir()
    through_proxy("http://127.0.0.1:9")
    with pytest.raises(NoConnection):
        fetch_files(ID, endpoint="http://hub.invalid")


def test_downloads_switched_off_are_explained(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    folder = fetch(ID, endpoint=hub.address)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch(ID) == folder
    Repository(ID).remove()
    with pytest.raises(Offline, match="HF_HUB_OFFLINE"):
        fetch(ID, endpoint=hub.address)
    assert hub.requests == []


def test_a_token_goes_to_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    hub.token = "hf_secret"
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(NotOnHub, match="private one, run `hf auth login`"):
        fetch(ID, endpoint=hub.address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch(ID, endpoint=hub.address).is_dir()
    monkeypatch.delenv("HF_TOKEN")
    Repository(ID).remove()
    (tmp_path / "token").write_text("hf_secret", encoding="utf-8")  # as `hf auth login` leaves it
    assert fetch(ID, endpoint=hub.address).is_dir()


def test_a_disk_without_room_is_told_before_downloading(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(before_download.shutil, "disk_usage", lambda path: free)
    with pytest.raises(NoRoom, match=r"the disk of .* has 0 MiB left"):
        fetch(ID, endpoint=hub.address)
    assert not any("/resolve/" in path for path in hub.requests)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_disk_that_fills_up_is_explained(sharded: Hub) -> None:
    listed = {entry["rfilename"]: entry for entry in sharded.info()["siblings"]}
    blobs = Repository(ID).folder / "blobs"
    blobs.mkdir(parents=True)
    full = blobs / f"{listed[FIRST]['lfs']['sha256']}.incomplete"
    full.symlink_to("/dev/full")  # writing there ends with "no space left on device"
    with pytest.raises(NoRoom, match="is full"):
        fetch(ID, endpoint=sharded.address)
    assert local_copy(ID) is None
    full.unlink()
    assert fetch(ID, endpoint=sharded.address).is_dir()


def test_a_file_system_for_small_files_is_explained(
    sharded: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(NoRoom, match="FAT32"):
            fetch(ID, endpoint=sharded.address)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert local_copy(ID) is None
    assert fetch(ID, endpoint=sharded.address).is_dir()


@pytest.fixture
def read_only_cache(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with someone/tiny in it that belongs to somebody else."""
    if not hasattr(os, "seteuid"):
        pytest.skip("Windows has other rights")
    from huggingface_hub import constants

    place = Path(tempfile.mkdtemp())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "cache"))
    # Where anybody may read it: the server has no more rights than this test.
    hub.folder = Path(shutil.copytree(hub.folder, place / "served"))
    fetch(ID, endpoint=hub.address)
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("HF_TOKEN", "hf_any")  # else a file is looked for in this user's home
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield place / "cache"
    finally:
        if root:
            os.seteuid(0)
        for path in (place, *place.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(place)


def test_a_shared_cache_that_cannot_be_written(read_only_cache: Path, hub: Hub) -> None:
    assert fetch(ID, endpoint="http://127.0.0.1:9").is_relative_to(read_only_cache)
    hub.repository = "someone/else"
    with pytest.raises(CacheNotWritable, match="set HF_HUB_CACHE to a folder of your own"):
        fetch("someone/else", endpoint=hub.address)
    with pytest.raises(CacheNotWritable):
        Repository(ID).remove()
    assert fetch(ID, download=False).is_dir()


@pytest.mark.parametrize("name", ["a/b/c", "a", "../b", "a/..", "/a/b"])
def test_a_name_that_is_no_hub_id(hub: Hub, name: str) -> None:
    with pytest.raises(CheckpointError):
        fetch(name, endpoint=hub.address)
    assert hub.requests == []


def test_what_is_no_checkpoint_is_not_downloaded(sharded: Hub) -> None:
    sharded.add("config.json", b'{"architectures": ["GPT2LMHeadModel"]}')
    with pytest.raises(NotACheckpoint, match=r"someone/tiny was not downloaded: .*Sa2VA"):
        fetch(ID, endpoint=sharded.address)
    assert not any(path.endswith(".safetensors") for path in sharded.requests)
    for path in sharded.folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(NotACheckpoint, match="pickle"):
        fetch(ID, endpoint=sharded.address)


def test_a_damaged_copy_is_mended(sharded: Hub) -> None:
    folder = fetch(ID, endpoint=sharded.address)
    blob = (folder / FIRST).resolve()
    content = bytearray(blob.read_bytes())
    content[1000] ^= 1
    blob.write_bytes(content)
    assert fetch_files(ID, endpoint=sharded.address) == folder
    assert (folder / FIRST).read_bytes() == sharded.contents()[FIRST]


def test_without_links(sharded: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a user may not make links: files lie in the snapshot, and once."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    for name in ("vocab.json", "added_tokens.json"):
        sharded.add(name, b'{"the": "same"}')
    folder = fetch(ID, endpoint=sharded.address)
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert not any((Repository(ID).folder / "blobs").iterdir())
    assert (folder / "vocab.json").read_bytes() == (folder / "added_tokens.json").read_bytes()
    sharded.requests.clear()
    assert fetch_files(ID, endpoint=sharded.address) == folder  # checked, and not fetched again
    assert not any("/resolve/" in path for path in sharded.requests)


def test_removing_leaves_nothing(sharded: Hub, private_cache: Path) -> None:
    folder = fetch(ID, endpoint=sharded.address)
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert Repository(ID).size() == pytest.approx(size, abs=100)  # and the note of the branch
    assert Repository(ID).remove() >= size
    assert local_copy(ID) is None
    assert not [path for path in private_cache.rglob("*") if path.is_file()]
    assert Repository(ID).remove() == 0


def test_disk_errors_have_their_own_sentences() -> None:
    from napari_sa2va.zoo.download_errors import not_written

    full = not_written("it", Path("/x"), OSError(errno.ENOSPC, "No space left"))
    odd = not_written("it", Path("/x"), OSError(errno.EIO, "Input/output error"))
    assert isinstance(full, NoRoom)
    assert isinstance(odd, CacheNotWritable)
    assert "Input/output error" in str(odd)
