"""What was asked in a session can be asked again, of the same image and of others."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from typer.testing import CliRunner

from napari_sa2va.annotation import Conversation
from napari_sa2va.annotation.conversation import name_objects
from napari_sa2va.annotation.masks import SoftMask
from napari_sa2va.cli.app import app
from napari_sa2va.cli.replay import Overlap, plain
from napari_sa2va.cli.replay_image import arrays_for
from napari_sa2va.engine import (
    MaskFound,
    ModelChoice,
    QuestionDone,
    Request,
    segment_questions,
    shared_runner,
)
from napari_sa2va.engine.provenance import request_detail
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.image_files import open_file
from napari_sa2va.samples import SAMPLE_EXPRESSIONS, sample_image
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.viewer.sessions import Said, Sessions, asked
from napari_sa2va.viewer.source import snapshot

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session in which the demo model was asked about the sample image, as the dock does it."""
    folder = tmp_path_factory.mktemp("replay")
    imageio.imwrite(folder / "cells.png", sample_image())
    imageio.imwrite(folder / "dark.png", sample_image() // 8)
    viewer = ViewerModel()
    image = viewer.add_image(sample_image(), name="cells", rgb=True)
    sessions = Sessions(viewer)
    sessions.folder = folder
    sessions.hold()
    conversation = Conversation()
    plane = snapshot(viewer, [image])
    objects = sessions._results.prepared([image], plane.placement)
    (recorder,) = sessions.recorders
    said = Said(conversation)
    recorder.about_to_write.connect(lambda: said.tell(recorder))
    questions = segment_questions("\n".join(SAMPLE_EXPRESSIONS))
    request = Request(ModelChoice("demo", "cpu"), plane.frames, questions)
    detail = request_detail(request)
    run = LabelRun(objects, plane.placement, replace=False, split=True, model="demo")
    labels: dict[int, list[tuple[int, ...]]] = {}
    for event in shared_runner().run(request, threading.Event()):
        if isinstance(event, MaskFound):
            soft = SoftMask.from_model(event.logits, event.mask)
            labels.setdefault(event.index, []).append(run.add(soft, event.phrase, event.iou))
        elif isinstance(event, QuestionDone):
            text = name_objects(event.answer, labels.get(event.index))
            conversation.say("demo", text)
            recorder.write(asked(questions[event.index].text, text, (), detail))
    run.commit(detail)
    run.close()
    sessions.release()
    return folder / "cells.sa2va"


def replayed(*arguments: Any) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["replay", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_the_same_image_gives_the_same(session: Path) -> None:
    code, said = replayed(session, session.parent / "cells.png")
    (request,) = said["requests"]
    assert request["same"], request
    assert len(request["iou"]) >= 2
    assert code == 0


def test_another_device_is_taken_with_the_session_s_own_model(session: Path) -> None:
    code, said = replayed(session, session.parent / "cells.png", "--device", "cuda:7")
    assert "cuda:7" in json.dumps(said)  # there is none here: it was asked for, and refused
    assert code != 0


def test_another_image_gives_something_else_and_says_what(session: Path) -> None:
    code, said = replayed(session, session.parent / "dark.png")
    (request,) = said["requests"]
    assert not request["same"]
    assert min(request["iou"].values()) < 0.999
    assert code == 1


def test_an_image_of_other_axes_cannot_be_asked(session: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.zeros((3, 5, 40, 40), np.uint8))
    code, said = replayed(session, tmp_path / "stack.npy")
    assert "its axes are others" in said["requests"][0]["error"]
    assert code == 6


def test_channels_are_taken_for_channels_and_planes_for_planes(tmp_path: Path) -> None:
    stack = np.arange(2 * 3 * 40 * 50, dtype=np.uint16).reshape(2, 3, 40, 50)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
    opened = open_file(path)
    asked = [{"shape": [2, 40, 50]}] * 3
    arrays = arrays_for({"frames": {"arrays": asked}}, opened)
    for channel, array in enumerate(arrays):
        np.testing.assert_array_equal(array[1, :, 5:9], stack[1, channel, :, 5:9])
    assert len(arrays) == 3
    with pytest.raises(InvalidInput, match="does not say which"):
        arrays_for({"frames": {"arrays": asked[:2]}}, opened)  # as many as there are planes
    np.save(tmp_path / "nameless.npy", stack)
    with pytest.raises(InvalidInput, match="its axes are others"):
        arrays_for({"frames": {"arrays": asked}}, open_file(tmp_path / "nameless.npy"))


def test_a_session_whose_image_is_gone_says_so(session: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(session)])
    assert result.exit_code == 3
    assert "Give its path" in result.stderr


def test_a_folder_that_is_no_session_is_bad_input(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(tmp_path)])
    assert result.exit_code == 3


def test_people_get_lines(session: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(session), str(session.parent / "cells.png")])
    assert "IoU 1.000" in result.stdout
    assert "1 of 1 requests came out the same." in result.stdout


def test_answers_are_compared_without_the_numbers_of_labels() -> None:
    assert plain("Sure, ■ 3, 4.") == plain("Sure, ■ 12 to 40 (29).") == plain("Sure, ■.")
    assert plain("A cell. (Looked at: crop of 96 by 64 pixels round it.)") == "A cell."
    assert plain("Sure, ■ 3.") != plain("There is none.")


def test_overlaps_count_parts_and_leave_others_out() -> None:
    frame = np.zeros((10, 20), np.int32)
    frame[:, 0:4], frame[:, 6:8], frame[:, 10:12], frame[:, 15:19] = 1, 2, 9, 3
    mask = np.zeros((2, 10, 20), bool)
    mask[0, :, 0:12] = True  # 1 and 2 are its parts; 9 was there before
    mask[1, :, 15:17] = True
    overlap = Overlap({1, 2, 3})
    overlap.add(frame, [mask[0]], 0)
    overlap.add(frame, [mask[1]], 1)
    ious, new = overlap.ious()
    assert new == 0
    assert ious[3] == pytest.approx(0.5)
    assert ious[1] == ious[2] == pytest.approx(60 / 100)
