"""Any image source as a lazy sequence of RGB planes, rendered as napari shows them."""

from __future__ import annotations

from napari_sa2va.frames.contrast import default_contrast_limits
from napari_sa2va.frames.files import ImageFile, open_image, parse_contrast, parse_index
from napari_sa2va.frames.movie import MOVIE_SUFFIXES, MovieArray
from napari_sa2va.frames.multiscale import Levels, choose_levels
from napari_sa2va.frames.orientation import Orientation
from napari_sa2va.frames.reading import read_frame, read_single_frame
from napari_sa2va.frames.region import Region
from napari_sa2va.frames.render import GRAY, Channel, render
from napari_sa2va.frames.source import ArrayFrames, ArrayLike, FrameSource, ImageFrames, PlaneIndex
from napari_sa2va.frames.stack_files import StackFile, open_stack

__all__ = [
    "GRAY",
    "MOVIE_SUFFIXES",
    "ArrayFrames",
    "ArrayLike",
    "Channel",
    "FrameSource",
    "ImageFile",
    "ImageFrames",
    "Levels",
    "MovieArray",
    "Orientation",
    "PlaneIndex",
    "Region",
    "StackFile",
    "choose_levels",
    "default_contrast_limits",
    "open_image",
    "open_stack",
    "parse_contrast",
    "parse_index",
    "read_frame",
    "read_single_frame",
    "render",
]
