"""``napari-sa2va demo``: the main job on the sample image, with a window or as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sa2va.cli.display import Display
from napari_sa2va.cli.exit_codes import ExitCode
from napari_sa2va.cli.interrupt import cancel_on_interrupt
from napari_sa2va.cli.results import Results
from napari_sa2va.cli.screen import why_no_window
from napari_sa2va.cli.segment import COMMAND, FILE_NAMES, print_results, write_files
from napari_sa2va.engine import ModelChoice, Request, segment_questions, shared_runner
from napari_sa2va.frames import ImageFrames
from napari_sa2va.io.atomic import check_folder
from napari_sa2va.io.own_labels import check_own
from napari_sa2va.io.pixel_size import PixelSize
from napari_sa2va.samples import SAMPLE_EXPRESSIONS, SAMPLE_PIXEL_SIZE, sample_image

if TYPE_CHECKING:
    from pathlib import Path

EXPRESSIONS: Final = "\n".join(SAMPLE_EXPRESSIONS)
_STEM: Final = "cells"


def run_demo(output: Path, *, headless: bool, choice: ModelChoice | None = None) -> ExitCode:
    """Show the sample image with expressions answered.

    Parameters
    ----------
    output : Path
        Folder for the files, where no window can be opened.
    headless : bool
        Write files whether or not a window could be opened.
    choice : ModelChoice, optional
        The demo checkpoint, unless another is given.

    Raises
    ------
    Sa2VAError
        Whatever fails.
    """
    choice = choice or ModelChoice("demo")
    reason = "as you asked" if headless else why_no_window()
    if reason is None:
        from napari_sa2va.cli.demo_window import show_demo

        return show_demo(EXPRESSIONS, choice)
    return _write_demo(output.resolve(), choice, reason)


def _write_demo(output: Path, choice: ModelChoice, reason: str) -> ExitCode:
    check_folder(output)
    check_own(output / FILE_NAMES["tiff"].format(stem=_STEM), COMMAND)
    questions = segment_questions(EXPRESSIONS)
    frames = ImageFrames(sample_image())
    size = PixelSize(SAMPLE_PIXEL_SIZE, SAMPLE_PIXEL_SIZE)
    results = Results(_STEM, frames.shape, questions, size)
    with cancel_on_interrupt() as cancelled, Display(len(questions)) as display:
        display.say(f"Without a window, {reason}: the results go into {output}")
        display.image("sample image")
        for event in shared_runner().run(Request(choice, frames, questions), cancelled):
            display.event(event)
            results.add(event)
        if cancelled.is_set():
            return ExitCode.CANCELLED
        files = write_files(output, _STEM, ("tiff", "png", "csv"), frames, results)
        print_results("sample image", results, files, display)
    return ExitCode.OK if results.objects else ExitCode.NOT_FOUND
