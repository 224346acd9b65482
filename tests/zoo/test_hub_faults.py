"""The Hub and the network at their worst: whatever happens, no half checkpoint is taken for one."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from napari_sa2va.errors import Cancelled, CheckpointError
from napari_sa2va.zoo.cache import Repository
from napari_sa2va.zoo.download_errors import (
    DamagedDownload,
    DownloadError,
    HubBusy,
    NeedsConsent,
    NeedsLogin,
    NoConnection,
    NotOnHub,
    Offline,
    explained,
)
from napari_sa2va.zoo.fit import estimate
from napari_sa2va.zoo.hub import fetch_files, local_copy
from tests.zoo.conftest import write_shards
from tests.zoo.hub_server import Fault, Hub, digest, git_sha1, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID = "someone/tiny"
ALWAYS = -1
FIRST = "model-00001-of-00002.safetensors"


def check_nothing_half(hub: Hub) -> None:
    """What the cache shows is right: every named file, every checkpoint."""
    served = hub.contents()
    known = {digest(name, content) for name, content in served.items()}
    repository = Repository(ID)
    for blob in (repository.folder / "blobs").glob("*"):
        if not blob.name.endswith(".incomplete"):
            content = blob.read_bytes()
            assert blob.name in (digest("x.pt", content), git_sha1(content))
            assert blob.name in known
    folder = local_copy(ID)
    if folder is None:
        with pytest.raises(CheckpointError):
            estimate(repository.snapshot(hub.commit), "float32")
        return
    for path in folder.iterdir():
        assert path.read_bytes() == served[path.name]
    assert estimate(folder, "float32").weights > 0


def check_a_clean_run_completes(hub: Hub) -> None:
    hub.faults.clear()
    folder = fetch_files(ID, endpoint=hub.address)
    served = hub.contents()
    wanted = {name for name in served if not name.endswith((".py", ".bin"))}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: served[name] for name in wanted
    }
    assert local_copy(ID) == folder
    sums = {digest(name, content) for name, content in served.items()}
    left = {path.name for path in (Repository(ID).folder / "blobs").glob("*.incomplete")}
    assert not {f"{one}.incomplete" for one in sums} & left


EVERY_TIME = [
    # What passes: the user does not notice.
    (Fault("cut", times=3), None),
    (Fault("stall", name=FIRST), None),
    (Fault("busy", "info", times=2), None),
    (Fault("flip", name=FIRST), None),
    # What does not: each with a sentence of its own.
    (Fault("404", "info", ALWAYS), NotOnHub),
    (Fault("bad token", "info", ALWAYS), NeedsLogin),
    (Fault("gated", "file", ALWAYS), NeedsConsent),
    (Fault("very busy", "info", ALWAYS), HubBusy),
    (Fault("500", "data", ALWAYS), HubBusy),
    (Fault("cut", times=ALWAYS, at=0.0), NoConnection),
    (Fault("page", "info", ALWAYS), DamagedDownload),
    (Fault("other sizes", "info", ALWAYS), DamagedDownload),
    (Fault("flip", times=ALWAYS, name=FIRST), DamagedDownload),
]
NOW_AND_THEN = [
    (Fault("reset", times=2, name=FIRST), None),
    (Fault("silence", times=2), None),
    (Fault("503", times=2), None),
    (Fault("short", name=FIRST), None),
    (Fault("long", name=FIRST), None),
    (Fault("gzip", times=ALWAYS, name=FIRST), None),
    (Fault("404", "data", ALWAYS), NotOnHub),
    (Fault("401", "info", ALWAYS), NotOnHub),
    (Fault("403", "file", ALWAYS), NeedsLogin),
    (Fault("busy", "file", ALWAYS), HubBusy),
    (Fault("503", "info", ALWAYS), HubBusy),
    (Fault("418", "data", ALWAYS), DownloadError),
    (Fault("silence", "info", ALWAYS), NoConnection),
    (Fault("other place", "file", ALWAYS), NoConnection),
    (Fault("page", "data", ALWAYS), DamagedDownload),
    (Fault("no sums", "info", ALWAYS), DamagedDownload),
    (Fault("other sums", "info", ALWAYS), DamagedDownload),
    (Fault("flip", times=ALWAYS, name="config.json"), DamagedDownload),
    (Fault("short", times=ALWAYS), DamagedDownload),
]


@pytest.mark.parametrize(
    ("fault", "ends"),
    [*EVERY_TIME, *(pytest.param(*one, marks=pytest.mark.slow) for one in NOW_AND_THEN)],
    ids=lambda value: f"{value.kind} {value.where} {value.times}" if hasattr(value, "kind") else "",
)
def test_a_fault(sharded: Hub, fault: Fault, ends: type[DownloadError] | None) -> None:
    fault = Fault(fault.kind, fault.where, fault.times, fault.at, fault.name)
    sharded.faults = [fault]
    if ends is None:
        fetch_files(ID, endpoint=sharded.address)
        assert fault.times <= 0  # it did happen
    else:
        with pytest.raises(ends) as raised:
            fetch_files(ID, endpoint=sharded.address)
        assert type(raised.value) is ends
        assert ID in str(raised.value)
    check_nothing_half(sharded)
    check_a_clean_run_completes(sharded)


def test_a_server_that_always_begins_anew_and_breaks_off(sharded: Hub) -> None:
    """Every answer brings something, and never more than the last one did: that must end."""
    sharded.faults = [Fault("whole", times=ALWAYS, name=FIRST)]
    original = sharded.answer

    def cut_short(method: str, path: str, headers: object) -> object:
        answer = original(method, path, headers)
        if answer.status in (200, 206) and path.endswith(FIRST):
            answer.cut = 20_000
        return answer

    sharded.answer = cut_short  # type: ignore[method-assign, assignment]
    with pytest.raises(NoConnection):
        fetch_files(ID, endpoint=sharded.address)
    sharded.answer = original  # type: ignore[method-assign]
    check_nothing_half(sharded)
    check_a_clean_run_completes(sharded)


def test_a_wait_that_the_hub_asks_for_can_be_cancelled(sharded: Hub) -> None:
    notes: list[str] = []
    original = sharded.answer

    def wait(method: str, path: str, headers: object) -> object:
        answer = original(method, path, headers)
        if "/resolve/" in path:
            answer.status, answer.headers, answer.body = 503, {"Retry-After": "60"}, b"{}"
        return answer

    sharded.answer = wait  # type: ignore[method-assign, assignment]
    with pytest.raises(Cancelled):
        fetch_files(
            ID,
            report=lambda state: notes.append(state.note),
            cancelled=lambda: bool(notes and notes[-1]),
            endpoint=sharded.address,
        )
    assert "asks to wait, again in 60 s" in notes[-1]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx2.ProxyError("407 Proxy Authentication Required"), NoConnection, "HTTPS_PROXY"),
        (
            httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"),
            NoConnection,
            "SSL_CERT_FILE",
        ),
        (OfflineModeIsEnabled("offline"), Offline, "HF_HUB_OFFLINE"),
        (PermissionError(13, "Permission denied", "/home/x/token"), DownloadError, "/home/x/token"),
    ],
)
def test_what_no_server_can_play(error: Exception, kind: type[Exception], words: str) -> None:
    said = explained("it", error)
    assert type(said) is kind
    assert words in str(said)


# --- at random


@dataclass
class Scene:
    """A random history of a download."""

    seed: int

    def faults(self) -> Iterator[Fault]:
        rng = random.Random(self.seed)
        data = ("cut", "reset", "silence", "flip", "short", "long", "whole", "shifted", "gzip")
        data += ("503", "429", "404", "401", "500", "page", "busy", "stall")
        info = ("cut", "reset", "silence", "503", "busy", "very busy", "404", "401", "page")
        info += ("no sums", "other sums", "other sizes", "flip", "gated", "bad token")
        for _ in range(rng.randint(1, 6)):
            where = rng.choice(("data", "data", "data", "data", "file", "info"))
            kinds = {"data": data, "info": info, "file": (*data, "other place")}[where]
            times = rng.choice((1, 1, 2, 4, ALWAYS))
            names = ("", FIRST, "model-00002-of-00002.safetensors", "config.json")
            name = "" if where == "info" else rng.choice(names)
            yield Fault(rng.choice(kinds), where, times, rng.random(), name)

    def spoil_the_cache(self, hub: Hub) -> None:
        """Leave what an earlier program may have left."""
        rng = random.Random(self.seed + 10_000)
        blobs = Repository(ID).folder / "blobs"
        for name, content in hub.contents().items():
            if name.endswith((".py", ".bin")) or rng.random() < 0.7:
                continue
            blobs.mkdir(parents=True, exist_ok=True)
            place = blobs / digest(name, content)
            waste = rng.choice((content[: len(content) // 2], b"garbage" * 20, content + b"x", b""))
            place.with_name(f"{place.name}.incomplete").write_bytes(waste)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(150))
def test_at_random(seed: int, tmp_path: Path, private_cache: Path, impatient: None) -> None:
    scene = Scene(seed)
    rng = random.Random(seed + 20_000)
    with serving(
        Hub(write_shards(tmp_path / "served", rng.choice((1, 64, 300))), stall=0.5)
    ) as hub:
        scene.spoil_the_cache(hub)
        hub.faults = list(scene.faults())
        looks, enough = 0, rng.choice((0, 0, 3, 10, 40))

        def cancelled() -> bool:
            nonlocal looks
            looks += 1
            return bool(enough) and looks > enough

        for _ in range(2):
            with suppress(DownloadError, Cancelled):
                fetch_files(ID, cancelled=cancelled, endpoint=hub.address)
            check_nothing_half(hub)
        check_a_clean_run_completes(hub)
