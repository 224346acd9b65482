"""The demo in napari: sample image, dock, an expression being answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from napari_sa2va.engine import ModelChoice


def show_demo(expressions: str, choice: ModelChoice) -> ExitCode:
    """Open napari with the demo, and return when the user closes it."""
    import napari

    prepare(napari.Viewer(), expressions, choice)
    napari.run()
    return ExitCode.OK


def prepare(viewer: Any, expressions: str, choice: ModelChoice) -> Any:
    """Open the sample image and the dock in a viewer, and ask.

    Parameters
    ----------
    viewer : napari.Viewer
    expressions : str
        One a line.
    choice : ModelChoice

    Returns
    -------
    Sa2VAWidget
        The dock, whose run has begun.
    """
    viewer.open_sample("napari-sa2va", "cells")
    _, dock = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    dock.model.name = choice.name
    dock.ask.mode = "segment"
    dock.ask.composer.setPlainText(expressions)
    dock.run()
    return dock
