"""Questions about an image without labels are kept, whatever becomes of the folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sa2va.annotation import Turn
from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.session import load
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.sessions import Sessions
from napari_sa2va.viewer.source import snapshot
from napari_sa2va.viewer.unlabelled import Unlabelled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def asked(tmp_path: Path) -> Any:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    one: Any = Unlabelled([image], snapshot(viewer, [image]).placement, tmp_path)
    one.heard = []
    one.told.connect(lambda level, _: one.heard.append(level))
    yield one
    one.close()


def ask(one: Unlabelled, text: str) -> None:
    one.say(len(one.turns), Turn("you", text))
    one.write(Action("asked", text))


def test_a_folder_that_somebody_deleted_is_made_anew(asked: Any) -> None:
    ask(asked, "Where?")
    shutil.rmtree(asked.session.path)
    ask(asked, "And now?")
    assert asked.recording.state == "saved"
    assert asked.heard == []
    state = load(asked.session.path)
    assert [turn.text for turn in state.turns] == ["Where?", "And now?"]


def test_a_fault_is_told_once_and_the_rest_goes_on(
    asked: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of an unlabelled image")

    asked.about_to_write.connect(broken)
    with monkeypatch.context() as patch:
        patch.setattr("napari_sa2va.viewer.unlabelled.begin_session", broken)
        ask(asked, "Where?")
        ask(asked, "And there?")
    assert asked.heard == ["error"]
    assert "Traceback" in caplog.text and "a fault of an unlabelled image" in caplog.text
    ask(asked, "And now?")
    assert asked.recording.state == "saved"
    assert len(load(asked.session.path).turns) == 3


def test_what_was_said_is_handed_over_without_a_session(asked: Any) -> None:
    asked.say(0, Turn("you", "Where?"))
    session, turns, _ = asked.hand_over()
    assert session is None
    assert [turn.text for turn in turns] == ["Where?"]
    asked.close()
    assert asked.session is None and asked.recording.state == "waiting"  # it has nothing any more


def test_an_answer_that_was_cut_off_is_kept_when_recording_ends(asked: Any) -> None:
    ask(asked, "Where?")
    path = asked.session.path
    asked.say(1, Turn("you", "And there?"))
    asked.say(2, Turn("Sa2VA", "There is"))
    asked.close()
    assert [turn.text for turn in load(path).turns] == ["Where?", "And there?", "There is"]


def test_a_layer_goes_on_with_questions_that_no_disk_took(tmp_path: Path) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    placement = snapshot(viewer, [image]).placement
    sessions = Sessions(viewer)
    sessions.images = lambda: [image]
    sessions.folder = tmp_path / "folder"
    sessions.folder.write_text("in the way")
    sessions.hold()
    before = sessions.unlabelled(placement)
    assert before is not None
    ask(before, "Where?")
    assert before.recording.state == "behind"
    sessions.folder.unlink()
    objects = results_of(viewer).prepared([image], placement)
    objects.labels.paint((5, 5), 2)
    one = sessions.of(objects)
    assert one is not None and one.session is not None
    assert [turn.text for turn in load(one.session.path).turns] == ["Where?"]
    sessions.release()
