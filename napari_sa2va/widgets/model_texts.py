"""What the model manager says of models, devices and downloads."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from huggingface_hub import constants

from napari_sa2va.zoo.fit import gib
from napari_sa2va.zoo.sam2 import SAM2_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.zoo.machine import Device
    from napari_sa2va.zoo.meter import DownloadState
    from napari_sa2va.zoo.shelf import Model

# Readable in napari's dark and light themes, which leave links as Qt has them: dark blue.
_LINK: Final = "#4f8fe0"


def cells(model: Model) -> tuple[str, ...]:
    """Return what the columns say of a model."""
    here = "yes" if model.here else "no"
    if not model.here and model.on_disk > 0:
        here = f"{gib(model.on_disk)} of it"
    size = model.on_disk if model.here else model.download
    about = "" if model.here else "about "
    return (
        f"{model.name}{_remark(model)}",
        here,
        f"{about}{gib(size)}" if size else "",
        gib(model.need.total) if model.need is not None else "",
        "cannot be run" if model.problem else model.fits_word,
        model.license,
    )


def _remark(model: Model) -> str:
    if model.name == SAM2_NAME:
        return "  for consistent tracking"
    return "  ★ recommended" if model.recommended else ""


def tip(model: Model) -> str:
    """Return what a row's tooltip says."""
    lines = [details(model), f"In {model.folder}" if model.folder else ""]
    return "\n".join(line for line in lines if line)


def details(model: Model) -> str:
    """Say what a model is for, and what is wrong with it; a line for each."""
    lines = [
        model.hub_id or "",
        f"For: {', '.join(model.can)}" if model.can else "",
    ]
    if model.revision:
        lines.append(f"Version {model.revision[:12]}")
    if model.problem:
        lines.append(model.problem)
    if model.fits is False:
        lines.append("It needs more memory than there is here.")
    elif model.fits and not model.fits_now:
        lines.append("It fits with other programs closed.")
    return "\n".join(line for line in lines if line)


def details_html(model: Model) -> str:
    """Return the same in one line, with a link to the model card."""
    said = escape(details(model)).replace("\n", " · ")
    if model.hub_id is not None:
        name = escape(model.hub_id)
        card = f'<a href="{constants.ENDPOINT}/{name}" style="color: {_LINK}">{name}</a>'
        said = said.replace(name, card, 1)
    return f"<b>{escape(model.name)}</b> · {said}"


def device_text(models: Sequence[Model], device: Device) -> str:
    """Say of which memory the table speaks."""
    memory = f", {gib(device.free)} of {gib(device.total)} free" if device.total else ""
    dtype = next((model.dtype for model in models if model.dtype), "")
    return f"Memory on {device.name} ({device.description}{memory}), in {dtype}."


def progress_text(state: DownloadState) -> str:
    """Say how far a download is."""
    current = next((file for file in state.files if file.name == state.current), None)
    parts = [f"{gib(state.done)} of {gib(state.size)}"]
    if state.note:
        parts.append(state.note)
    elif current is not None:
        parts.append(f"{current.name}: {gib(current.done)} of {gib(current.size)}")
    if state.speed:
        parts.append(f"{state.speed / 1e6:.1f} MB/s")
    return " · ".join(parts)


def repaired_text(brought: Sequence[str]) -> str:
    """Say what a repair found, by the names of files that were damaged or missing."""
    if not brought:
        return "every file was checked, and is right."
    many = "1 file was" if len(brought) == 1 else f"{len(brought)} files were"
    return f"repaired. {many} damaged or missing, and came anew: {', '.join(brought)}."
