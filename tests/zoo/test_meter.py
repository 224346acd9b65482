"""How far a download is, and how fast."""

from __future__ import annotations

import pytest

from napari_sa2va.zoo import meter
from napari_sa2va.zoo.listing import RemoteFile
from napari_sa2va.zoo.meter import DownloadState, Meter

MB = 1_000_000


def test_speed_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(meter.time, "monotonic", lambda: now)
    told: list[DownloadState] = []
    files = (RemoteFile("config.json", 1000, "a"), RemoteFile("model.safetensors", 90 * MB, "b"))
    one = Meter("someone/tiny", files, told.append)
    one.has("config.json", 1000)
    one.has("model.safetensors", 30 * MB)  # of an earlier download: not of this one's speed
    one.start("model.safetensors")
    for step in range(1, 21):
        now += 0.5
        one.arrived((30 + 2 * step) * MB)
    assert told[-1].speed == pytest.approx(4 * MB, rel=0.15)
    assert told[-1].text.endswith(" MB/s")
    assert (told[-1].current, told[-1].done) == ("model.safetensors", 70 * MB + 1000)
    assert (told[-1].files[0].name, told[-1].files[0].done) == ("config.json", 1000)
    before = len(told)
    one.arrived(70 * MB + 1)  # at once again: nobody reads so fast
    assert len(told) == before
    one.say("waiting")
    assert (told[-1].speed, told[-1].note) == (0.0, "waiting")
    assert told[-1].text.endswith(": waiting")
