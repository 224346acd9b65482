"""SAM 2.0's own file, which brings the mask decoder that consistent tracking needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.config import Sa2VAConfig, Sam2Config
from napari_sa2va.model.names import has_two_decoders
from napari_sa2va.model.shards import Shards
from napari_sa2va.zoo.before_download import Wanted
from napari_sa2va.zoo.catalogue import find
from napari_sa2va.zoo.hub import fetch_files, local_copy
from napari_sa2va.zoo.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.zoo.hub import Report

# As in `build_sam.py` of the sam2 package.
SAM2_HUB_ID: Final = "facebook/sam2-hiera-large"
SAM2_FILE: Final = "sam2_hiera_large.pt"
SAM2_NAME: Final = "sam2"
# Size of the published file, in bytes, rounded; the Hub tells the true one.
SAM2_BYTES: Final = 898_000_000
# A pickle, and the only one that is fetched: it is read with `weights_only`, so that nothing in it
# can run (model/tracking_decoder.py).
WANTED: Final = Wanted((SAM2_FILE,), checkpoint=False)
# Sizes of the mask decoder: the file fits a checkpoint that has these.
_DECODER_SIZES: Final = ("d_model", "decoder_feedforward", "decoder_iou_hidden")


def is_sam2(name: str) -> bool:
    """Whether a user means this file."""
    return name.strip().casefold() in (SAM2_NAME, SAM2_HUB_ID, SAM2_FILE)


def local_sam2_file() -> Path | None:
    """Return the file if it is on this machine; nobody is asked."""
    folder = local_copy(SAM2_HUB_ID, WANTED)
    return None if folder is None else folder / SAM2_FILE


def lacks_decoder(name: str) -> bool:
    """Whether consistent tracking with a checkpoint needs SAM 2.0's file, and can take it.

    A checkpoint that is not on this machine is judged by the catalogue; an unknown one counts as
    of the published kind, which lacks the decoder.

    Parameters
    ----------
    name : str
        As in `napari_sa2va.zoo.resolve.resolve`.
    """
    try:
        folder = resolve(name, download=False)
        config = Sa2VAConfig.from_folder(folder)
        if config.sam2.shared_decoder or not _fits(config.sam2):
            return False
        with Shards(folder) as shards:
            return not has_two_decoders(shards.names)
    except CheckpointError:
        known = find(name)
        return known is None or not known.two_decoders


def sam2_file_for(name: str) -> Path | None:
    """Return the fetched file where tracking with a checkpoint would take it, else None.

    Nobody is asked over the network.
    """
    file = local_sam2_file()
    return file if file is not None and lacks_decoder(name) else None


def _fits(sizes: Sam2Config) -> bool:
    published = Sam2Config()
    return all(getattr(sizes, size) == getattr(published, size) for size in _DECODER_SIZES)


def sam2_file(
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    download: bool = True,
    revision: str | None = None,
    endpoint: str | None = None,
) -> Path:
    """Return the file, fetching it when it is not here yet.

    Parameters
    ----------
    report, cancelled, revision, endpoint
        As in `napari_sa2va.zoo.hub.fetch_files`.
    download : bool, default: True
        Whether the network may be used.

    Raises
    ------
    CheckpointError
        If it is not here, and cannot be fetched.
    Cancelled
    """
    here = local_sam2_file()
    if here is not None and revision is None:
        return here
    if not download:
        raise CheckpointError(
            "SAM 2.0's file is not on this machine: run `napari-sa2va models get sam2`."
        )
    folder = fetch_files(
        SAM2_HUB_ID,
        revision=revision,
        wanted=WANTED,
        report=report,
        cancelled=cancelled,
        endpoint=endpoint,
    )
    return folder / SAM2_FILE
