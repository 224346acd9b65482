"""File > Open for sessions: the image, if it is found, and the labels with all that is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_sa2va.annotation import ObjectTable
from napari_sa2va.annotation.session import SessionDamaged, SessionState, is_session, load
from napari_sa2va.annotation.session.places import session_name
from napari_sa2va.io.session_labels import copied_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sa2va.annotation.session import ImageInfo

    LayerData: TypeAlias = tuple[Any, dict[str, Any], str]

_GEOMETRY = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return what reads a session's folder, as npe2 asks for it; None for what is none."""
    if not isinstance(path, str) or not is_session(Path(path)):
        return None
    return read_session


def read_session(path: str) -> list[LayerData]:
    """Open a session as layers: its image first, where that is found, then its labels.

    Raises
    ------
    SessionDamaged, InvalidInput
        As of `restored`.
    """
    state, labels = restored(Path(path))
    images = list(image_layers(state))
    if not images and state.about.images:
        names = ", ".join(f"“{image.name}”" for image in state.about.images)
        _tell(f"The image {names} of this session was not found, so its labels come alone.")
    return [*images, labels]


def restored(path: Path) -> tuple[SessionState, LayerData]:
    """Read a session and make the Labels layer of it; say what is damaged.

    Raises
    ------
    SessionDamaged
        Nothing of it can be restored.
    InvalidInput
        There is no room on the disk for large labels.
    """
    damaged = False
    try:
        state = load(path)
    except SessionDamaged as error:
        state, damaged = _saved(error), True
    try:  # the label array is read only here
        return state, _labels_layer(state, damaged=damaged)
    except SessionDamaged as error:
        state = _saved(error)
    return state, _labels_layer(state, damaged=True)


def _saved(error: SessionDamaged) -> SessionState:
    """Say what is damaged, and return what can be restored all the same."""
    if error.saved is None:
        raise error
    _tell(str(error))
    return error.saved


def _labels_layer(state: SessionState, *, damaged: bool = False) -> LayerData:
    from napari_sa2va.viewer.labels import METADATA
    from napari_sa2va.viewer.store import MOST_IN_MEMORY, large_labels_folder, unused_path

    if state.nbytes <= MOST_IN_MEMORY:
        data: Any = state.labels()
    else:
        place = unused_path(large_labels_folder(), session_name(state.path.stem))
        data = copied_labels(state, place)
    info = state.about.labels
    first = state.about.images[0].name if state.about.images else ""
    meta = {
        "name": info.name,
        "features": ObjectTable(state.records).features(),
        "metadata": {
            METADATA: {
                "kind": "labels",
                "image": first,
                "session": str(state.path),
                # What was restored in part is recorded anew.
                "restored": -1 if damaged else state.n,
            }
        },
        **_known(info.shown, len(info.shape), ("opacity", "visible")),
    }
    return data, meta, "labels"


def image_layers(state: SessionState) -> Iterator[LayerData]:
    """Go through the images of a session that are found, as layer data."""
    wanted: dict[tuple[str, ...], list[ImageInfo]] = {}
    for info in state.about.images:
        wanted.setdefault(info.sample or (info.path,), []).append(info)
    for infos in wanted.values():
        yield from _opened(state, infos)


def _opened(state: SessionState, infos: list[ImageInfo]) -> Iterator[LayerData]:
    """Open the file or the sample that some image layers came from."""
    from napari_sa2va.viewer.labels import METADATA

    for layer in _read(infos[0], state.path):
        data, meta, kind = (*layer, {}, "image")[:3] if len(layer) < 3 else layer
        if kind != "image":
            continue
        meta = dict(meta)
        shape = tuple(data[0].shape) if isinstance(data, list | tuple) else tuple(data.shape)
        fitting = [info for info in infos if info.shape == shape]
        if not fitting and "channel_axis" not in meta:
            continue
        info = fitting[0] if fitting else infos[0]
        if fitting and "channel_axis" not in meta:
            # With an axis of channels napari makes several layers: shown as the file wants it.
            infos = [other for other in infos if other is not info]
            ndim = len(shape) - info.rgb
            meta |= {"name": info.name, "rgb": info.rgb} | _known(info.shown, ndim, _SHOWN)
            _drop_unknown_colormap(meta)
        marks = {"session": str(state.path), "path": info.path, "sample": list(info.sample)}
        meta["metadata"] = {**meta.get("metadata", {}), METADATA: marks}
        yield data, meta, "image"


_SHOWN = ("opacity", "visible", "blending", "contrast_limits", "gamma", "colormap")


def _read(info: ImageInfo, folder: Path) -> list[Any]:
    """Read a file or a sample with whatever plugin can; nothing where that fails."""
    import npe2

    if info.sample:
        plugin, key = info.sample
        for name, samples in npe2.PluginManager.instance().iter_sample_data():
            for sample in samples:
                if (name, sample.key) == (plugin, key):
                    return list(sample.open())
        return []
    path = info.found_from(folder)
    if path is None:
        return []
    try:
        return list(npe2.read([str(path)], stack=False))
    except Exception as error:  # readers are other people's, and raise what they like
        _tell(f"{path} could not be opened ({error}).")
        return []


def _known(shown: Any, ndim: int, names: tuple[str, ...]) -> dict[str, Any]:
    """Return arguments of a layer; its place only if that has as many axes."""
    arguments = {name: shown[name] for name in names if name in shown}
    if len(shown.get("scale", ())) == ndim:
        for name in _GEOMETRY:
            if name in shown:
                value = shown[name]
                arguments[name] = (
                    tuple(value) if name in ("units", "axis_labels") else np.asarray(value)
                )
    return arguments


def _drop_unknown_colormap(meta: dict[str, Any]) -> None:
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    if meta.get("colormap") not in AVAILABLE_COLORMAPS or meta.get("rgb"):
        meta.pop("colormap", None)


def _tell(sentence: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(sentence)
