"""The image that a session's requests are asked of again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.image_folder import open_image_folder
from napari_sa2va.frames.zarr_files import is_zarr
from napari_sa2va.io.export.image_files import (
    OUR_SAMPLES,
    OneChannel,
    Opened,
    open_file,
    open_info,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sa2va.annotation.session import SessionState
    from napari_sa2va.frames.source import ArrayLike

_CHANNEL_AXIS: Final = "c"


def open_replayed(state: SessionState, path: Path | None) -> Opened:
    """Open an image for the requests of a session.

    Parameters
    ----------
    state : SessionState
        Says which image that was.
    path : Path, optional
        The image, or another one; the session's own if left out.

    Raises
    ------
    InvalidInput
        There is none, or it cannot be read.
    """
    if path is None:
        first = next(iter(state.about.images), None)
        if first is not None and first.sample[:1] == (OUR_SAMPLES,):
            return open_info(first, state.path)
        path = None if first is None else first.found_from(state.path)
        if path is None:
            raise InvalidInput(
                f"The image of {state.path.name} is not where it was. Give its path after the "
                "session's."
            )
    if path.is_dir() and not is_zarr(path):
        folder = open_image_folder(path, (0.0, 1.0))  # how it was drawn is in the session
        return Opened(folder.array, folder.axes, folder.rgb)
    return open_file(path)


def arrays_for(detail: Mapping[str, Any], opened: Opened) -> tuple[ArrayLike, ...]:
    """Return what a request looked at, out of an opened image: one array a channel.

    Raises
    ------
    InvalidInput
        The image has other axes than the one that was looked at, or other channels.
    """
    array = opened.array
    wanted = detail["frames"].get("arrays", ())
    axes = {len(one["shape"]) for one in wanted}
    if len(wanted) == 1 and axes == {array.ndim}:
        return (array,)
    if axes == {array.ndim - 1} and _CHANNEL_AXIS in opened.axes:
        axis = opened.axes.index(_CHANNEL_AXIS)
        if len(wanted) == (channels := array.shape[axis]):
            return tuple(OneChannel(array, axis, at) for at in range(channels))
        raise InvalidInput(
            f"It was asked about {len(wanted)} layer(s), the image has {channels} channels, and "
            "the session does not say which of them they are. Give a file of those alone."
        )
    shapes = " and ".join(str(tuple(one["shape"])) for one in wanted)
    raise InvalidInput(
        f"It was asked about {len(wanted)} layer(s) of shape {shapes}, and the image has shape "
        f"{tuple(array.shape)}: its axes are others."
    )
