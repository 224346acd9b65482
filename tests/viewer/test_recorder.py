"""Everything that happens to objects is in the session when it is told, and comes back."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sa2va.annotation.session import load, read_entries
from napari_sa2va.viewer import object_actions, recorder, unwritten
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.sessions import Sessions

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """tests/viewer/session_script.py: test folders are no packages."""
    path = Path(__file__).with_name("session_script.py")
    spec = importlib.util.spec_from_file_location("session_script", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(script: ModuleType, tmp_path: Path) -> Any:
    made = []

    def make_script(seed: int = 1, **options: Any) -> Any:
        made.append(script.Script(tmp_path, seed, **options))
        return made[-1]

    yield make_script
    for one in made:
        one.close()


@pytest.mark.parametrize("seed", range(5))
def test_what_comes_back_is_what_was_there_after_each_action(
    seed: int, make: Any, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.impatient(monkeypatch.setattr)
    live = make(seed)
    for number in range(30):
        done = live.act()
        if live.recorder.session is not None:
            assert script.digest_of(live.path) == live.digest(), (number, done)
    path = live.path
    live.close()
    assert script.digest_of(path) == live.digest()


def test_nothing_is_written_before_anything_happens(make: Any, tmp_path: Path) -> None:
    live = make()
    live.recorder.tick()
    assert live.recorder.recording.state == "waiting"
    assert list(tmp_path.iterdir()) == []
    live._run()
    assert live.recorder.recording.state == "saved"
    assert [path.name for path in tmp_path.iterdir()] == ["cells.sa2va"]


def test_the_log_has_an_action_before_anybody_is_told_of_it(make: Any) -> None:
    live = make()
    live._run()
    seen = []
    live.objects.changed.connect(lambda: seen.append([r.note for r in load(live.path).records]))
    label = live.objects.rows()[0].label
    object_actions.set_note(live.objects, [label], "seen")
    assert "seen" in seen[-1]


def test_a_run_is_logged_with_what_was_asked(make: Any) -> None:
    live = make()
    live._run()
    (run,) = [entry for entry in read_entries(live.path) if entry.kind == "run"]
    assert "seed" in run.detail
    assert run.labels and run.boxes and run.rows and run.turns


def test_a_layer_that_was_not_empty_is_kept_whole(tmp_path: Path) -> None:
    viewer = ViewerModel()
    before = np.zeros((40, 50), np.uint16)
    before[3:9, 4:8] = 3
    labels = viewer.add_labels(before.copy(), name="mine")
    sessions = Sessions(viewer)
    sessions.folder = tmp_path
    sessions.hold()
    results_of(viewer).of(labels)
    labels.paint((20, 20), 7)
    state = load(tmp_path / "mine.sa2va")
    np.testing.assert_array_equal(state.labels(), labels.data)
    assert (state.labels() == 3).any()
    sessions.release()


def test_a_large_layer_is_copied_plane_by_plane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwritten, "MOST_AT_ONCE", 1000)
    viewer = ViewerModel()
    before = np.random.default_rng(0).integers(0, 3, (6, 40, 50)).astype(np.int32)
    labels = viewer.add_labels(before.copy(), name="mine")
    sessions = Sessions(viewer)
    sessions.folder = tmp_path
    sessions.hold()
    objects = results_of(viewer).of(labels)
    labels.paint((2, 20, 20), 7)
    path = tmp_path / "mine.sa2va"
    assert (load(path).labels() == 7).any()
    assert not np.array_equal(load(path).labels(), labels.data), "it takes its time"
    one = sessions.of(objects)
    assert one is not None
    one.tick(finish=True)
    np.testing.assert_array_equal(load(path).labels(), labels.data)
    sessions.release()


def test_an_array_that_a_script_replaced_comes_back(make: Any) -> None:
    live = make()
    live._run()
    live.objects.labels.data = np.full((3, 96, 96), 4, np.uint8)
    assert load(live.path).labels().dtype == np.uint8
    np.testing.assert_array_equal(load(live.path).labels(), live.objects.labels.data)
    live.objects.labels.paint((0, 5, 5), 9)
    np.testing.assert_array_equal(load(live.path).labels(), live.objects.labels.data)


def test_a_layer_that_was_renamed_moved_and_deleted_leaves_its_session(make: Any) -> None:
    live = make()
    live._run()
    path, pixels = live.path, live.objects.labels.data.copy()
    live.objects.labels.name = "nuclei"
    live.objects.labels.translate = (1.0, 2.0, 3.0)
    live.recorder.tick()
    folding = live.recorder._folding
    live.viewer.layers.remove(live.objects.labels)
    folding._thread.join(20)
    state = load(path)
    assert state.about.labels.name == "nuclei"
    assert state.about.labels.shown["translate"] == [1.0, 2.0, 3.0]
    assert not state.ended_badly
    np.testing.assert_array_equal(state.labels(), pixels)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_full_disk_is_told_once_and_all_is_caught_up_later(
    make: Any, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.0)
    live = make()
    live._run()
    told: list[tuple[str, str]] = []
    live.recorder.told.connect(lambda level, text: told.append((level, text)))
    log, kept = live.path / "log.jsonl", live.path / "kept"
    log.rename(kept)
    log.symlink_to("/dev/full")
    live.recorder._session._writer.close()  # it would go on in the file that was renamed
    live.recorder._session._writer.size = 0
    for _ in range(3):
        live._paint()
    assert live.recorder.recording.state == "behind"
    assert [level for level, _ in told] == ["error"]
    assert "No space left" in told[0][1]
    log.unlink()
    kept.rename(log)
    live.recorder._session._writer.size = log.stat().st_size
    live.recorder.tick()
    assert live.recorder.recording.state == "saved"
    assert [level for level, _ in told] == ["error", "info"]
    assert script.digest_of(live.path) == live.digest()


def test_a_fault_of_ours_stops_no_action_and_all_is_caught_up_later(
    make: Any,
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.0)
    live = make()
    live._run()
    told: list[tuple[str, str]] = []
    live.recorder.told.connect(lambda level, text: told.append((level, text)))

    rows: list[list[int]] = []
    live.objects.changed.connect(lambda: rows.append([row.label for row in live.objects.rows()]))

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault in packing")

    with monkeypatch.context() as patch:
        patch.setattr(unwritten, "pack_boxes", broken)
        live.objects.labels.paint((0, 5, 5), 77)
        live._run()  # tries to catch up
        assert rows[-1] == [row.label for row in live.objects.rows()], "the table is not behind"
        assert rows[-1][-1] == 78
        live.recorder.tick()
        assert live.recorder.recording.state == "behind"
    assert [level for level, _ in told] == ["error"]
    assert "fault in the plugin (ZeroDivisionError: a fault in packing)" in told[0][1]
    assert caplog.text.count("Traceback") == 1, "not again with each try"
    live.recorder.tick()
    assert live.recorder.recording.state == "saved"
    assert script.digest_of(live.path) == live.digest()


def test_listeners_and_docks_that_are_gone_stop_no_recording(
    make: Any, script: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: object) -> Any:
        raise RuntimeError("wrapped C/C++ object has been deleted")

    live = make()
    live.sessions.images = gone
    live.recorder.about_to_write.connect(gone)
    live.recorder.changed.connect(gone)
    live._run()
    live._paint()
    live.recorder.tick()
    assert live.recorder.recording.state == "saved"
    live.said.tell(live.recorder)  # the listener that gives turns may not have been asked
    live.recorder.tick()
    assert script.digest_of(live.path) == live.digest()
    assert "has been deleted" in caplog.text


def test_earlier_work_on_the_same_image_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.layers._source import layer_source

    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    (tmp_path / "wing.tif").touch()
    told: list[tuple[str, str]] = []
    for _ in range(2):
        viewer = ViewerModel()
        with layer_source(path=str(tmp_path / "wing.tif")):
            image = viewer.add_image(np.zeros((40, 50), np.uint8))
        sessions = Sessions(viewer)
        sessions.images = lambda image=image: [image]
        sessions.told.connect(lambda level, text: told.append((level, text)))
        sessions.hold()
        labels = viewer.add_labels(np.zeros((40, 50), np.int32))
        results_of(viewer).of(labels)
        assert told == []
        for label in 2, 3:
            labels.paint((5, 5), label)
        sessions.release()
    ((level, text),) = told
    assert level == "info"
    assert "wing.sa2va" in text and "Restore…" in text


def test_closing_waits_for_layers_that_were_just_deleted(make: Any) -> None:
    live = make()
    live._run()
    path = live.path
    live.viewer.layers.clear()  # as napari does when it closes
    live.close()
    assert not load(path).ended_badly
    assert (path / "lock").read_bytes() == b""


def test_a_folder_that_somebody_deleted_is_made_anew(
    make: Any, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.0)
    live = make()
    live._run()
    first = live.path
    shutil.rmtree(first)
    live._paint()
    live.recorder.tick()
    assert live.recorder.recording.state == "saved"
    assert script.digest_of(live.path) == live.digest()


def test_an_image_in_a_folder_has_its_session_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.layers._source import layer_source

    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    (tmp_path / "wing.tif").touch()
    viewer = ViewerModel()
    with layer_source(path=str(tmp_path / "wing.tif")):  # as opening the file does
        image = viewer.add_image(np.zeros((40, 50), np.uint8))
    sessions = Sessions(viewer)
    sessions.images = lambda: [image]
    sessions.hold()
    labels = viewer.add_labels(np.zeros((40, 50), np.int32))
    results_of(viewer).of(labels)
    labels.paint((5, 5), 2)
    state = load(tmp_path / "wing.sa2va")
    (info,) = state.about.images
    assert (info.path, info.beside) == (str(tmp_path / "wing.tif"), "../wing.tif")
    sessions.release()


def test_a_session_goes_on_in_another_window(make: Any, script: ModuleType) -> None:
    live = make()
    live._run()
    path = live.path
    live.close()
    state = load(path)
    viewer = ViewerModel()
    sessions = Sessions(viewer)
    sessions.hold()
    marks = {"session": str(path), "restored": state.n}
    labels = viewer.add_layer(Labels(state.labels(), metadata={METADATA: marks}))
    assert isinstance(labels, Labels)
    (one,) = sessions.recorders
    assert one.recording.path == path
    assert list(one.turns) == list(state.turns)
    labels.paint((0, 50, 50), 40)
    entries = list(read_entries(path))
    assert entries[-1].kind == "paint"
    np.testing.assert_array_equal(load(path).labels(), labels.data)

    told: list[str] = []
    other = ViewerModel()
    others = Sessions(other)
    others.folder = path.parent
    others.told.connect(lambda _, text: told.append(text))
    others.hold()
    marks = {"session": str(path), "restored": state.n + 1}
    second = other.add_layer(Labels(state.labels(), metadata={METADATA: marks}))
    assert "is open in this napari already" in told[0]
    assert isinstance(second, Labels)
    second.paint((0, 9, 9), 50)
    (copy,) = others.recorders
    assert copy.recording.path is not None and copy.recording.path != path
    np.testing.assert_array_equal(load(copy.recording.path).labels(), second.data)
    sessions.release()
    others.release()


def test_a_stroke_is_logged_in_a_moment(make: Any) -> None:
    live = make(shape=(2048, 2048))
    live.objects.labels.brush_size = 40
    live.objects.labels.paint((300, 300), 1)  # makes the session
    times = []
    for row in range(400, 1000, 100):
        before = time.perf_counter()
        live.recorder.write(_paint_action(row))
        times.append(time.perf_counter() - before)
    # 1 ms on an idle machine, most of it the disk's; others may be at work on this one.
    assert min(times) < 0.05


def _paint_action(row: int) -> Any:
    from napari_sa2va.annotation.actions import Action

    return Action("paint", "Paint", ((slice(row, row + 40), slice(300, 340)),), (1,))
