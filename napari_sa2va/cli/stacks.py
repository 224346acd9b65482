"""From a file name and options to the stack that is tracked through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import open_stack
from napari_sa2va.io.pixel_size import PixelSize

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.frames import FrameSource

_CHANNEL_AXIS: Final = "c"
# Any: what is opened with them is asked for its axes only.
_NO_CONTRAST: Final = (0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Planes along one axis of a file.

    Attributes
    ----------
    path : Path
        As given.
    stem : str
        What the names of its files begin with.
    frames : FrameSource
        One a plane, read when asked for.
    axis : str
        Name of the axis.
    at : dict of str to int
        Where the other axes stand.
    pixel_size : PixelSize or None
        In micrometres, where the file says.
    step : float or None
        From a plane to the next, where the file says: in seconds along t, else in micrometres.
    """

    path: Path
    stem: str
    frames: FrameSource
    axis: str
    at: dict[str, int]
    pixel_size: PixelSize | None
    step: float | None

    @property
    def length(self) -> int:
        """How many planes there are."""
        return len(self.frames)

    @property
    def shown_first(self) -> int:
        """The plane that napari shows on opening the file: the middle, the lower of two.

        So `Dims._go_to_center_step` in napari/components/dims.py, 0.9.2.
        """
        return (self.length - 1) // 2


def open_tracked(path: Path, axis: str | None, options: ImageOptions) -> Stack:
    """Open a file or folder as a stack.

    Parameters
    ----------
    path : Path
    axis : str, optional
        Name or number of the axis; left out, time before depth before others.
    options : ImageOptions
        Its `index` counts the axes that are left.

    Raises
    ------
    InvalidInput
        If the file cannot be read, has no such axis, or a single plane along it.
    """
    at = None
    if options.index is not None or options.channel is not None:
        others = open_stack(path, axis, contrast_limits=_NO_CONTRAST).at
        at = _places(path, tuple(others), options)
    opened = open_stack(path, axis, at, contrast_limits=options.contrast)
    steps = opened.steps
    return Stack(
        path,
        path.resolve().stem,  # "." has no name
        opened.frames,
        opened.axis,
        opened.at,
        PixelSize.of(steps),
        steps.get(opened.axis),
    )


def _places(path: Path, axes: tuple[str, ...], options: ImageOptions) -> dict[str, int]:
    """Return where the other axes are to stand."""
    at: dict[str, int] = {}
    if options.channel is not None:
        if _CHANNEL_AXIS not in axes:
            raise InvalidInput(
                f"{path.name} has no channel axis that is named so beside the stack's. Choose "
                "the planes with --index."
            )
        at[_CHANNEL_AXIS] = options.channel
    left = [axis for axis in axes if axis not in at]
    if options.index is None:
        return at
    if len(options.index) != len(left):
        raise InvalidInput(
            f"{path.name} needs one number of --index for each of: {', '.join(left)}."
            if left
            else f"{path.name} has no other axis for --index."
        )
    return at | dict(zip(left, options.index, strict=True))
