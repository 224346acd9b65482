"""File > Open for movies: an image layer whose frames are decoded as they are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_sa2va.frames import MOVIE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable

    LayerData: TypeAlias = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return what reads a movie, as npe2 asks for it; None for what is no single movie.

    napari 0.9's own reader names the same kinds of files, but decodes a whole movie into memory,
    and only where imageio finds a plugin for movies, which napari does not install.
    """
    if not isinstance(path, str) or Path(path).suffix.lower() not in MOVIE_SUFFIXES:
        return None
    return read_movie


def read_movie(path: str) -> list[LayerData]:
    """Open a movie as one RGB image layer with a time axis in seconds.

    Raises
    ------
    InvalidInput
        The file cannot be read as a movie.
    """
    from napari_sa2va.frames import MovieArray

    movie = MovieArray(path)
    step = movie.seconds_per_frame
    meta = {
        "name": Path(path).stem,
        "rgb": True,
        "axis_labels": ("t", "y", "x"),
        "scale": (step or 1.0, 1.0, 1.0),
        "units": ("second" if step else "pixel", "pixel", "pixel"),
    }
    return [(movie, meta, "image")]
