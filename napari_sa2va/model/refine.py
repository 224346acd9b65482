"""Correcting an object, or starting one, with points, a box and paint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from napari_sa2va.annotation.masks import inner_point
from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.checks import check_image
from napari_sa2va.model.failures import as_callable, stop_if
from napari_sa2va.model.grounding import finished
from napari_sa2va.model.loaded import LoadedModel
from napari_sa2va.model.results import Candidate, Refined
from napari_sa2va.model.sam2_prompts import Prompts, decode, mask_prompt, points_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.model.failures import Cancel
    from napari_sa2va.model.looking import Looking
    from napari_sa2va.model.network import Sa2VANetwork

_EDGE: Final = 0.5  # of a pixel, round the centres of the outermost ones


class Correction(NamedTuple):
    """What a user says about one object; see `Sa2VA.refine`."""

    points: Sequence[tuple[float, float]] = ()
    labels: Sequence[int] = ()
    box: tuple[float, float, float, float] | None = None
    mask: NDArray[np.bool_] | None = None
    previous: NDArray[np.float32] | None = None


class CorrectingModel(LoadedModel):
    """A loaded checkpoint that finds and corrects objects without any words."""

    def refine(
        self,
        image: NDArray[np.uint8],
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[int] = (),
        box: tuple[float, float, float, float] | None = None,
        mask: NDArray[np.bool_] | None = None,
        previous: NDArray[np.float32] | None = None,
        cancelled: Cancel = None,
    ) -> Refined:
        """Find or correct one object by clicks, a box and paint.

        SAM2's original mask decoder does it where there is one, else the fine-tuned one. An image
        that was asked about is not encoded again.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
        points : sequence of (row, column)
            All clicks on this object so far, not only the new ones: earlier logits do not stand
            for them. In pixels; the centre of the first one is (0, 0), as in napari, so that the
            image reaches from -0.5 to its size less 0.5.
        labels : sequence of int
            For each point 1, in the object, or 0, not in it.
        box : (top, left, bottom, right), optional
            Round the object, in the coordinates of the points, either corner first. What reaches
            beyond the image is cut off.
        mask : ndarray of bool, shape (height, width), optional
            Painted: the object as far as it is known, or a stroke in it. With `previous` it is
            added to that. Without a box or a click in the object, a point deep in the paint is
            sent along: a mask alone is not a prompt that SAM2's decoder was trained with.
        previous : ndarray of float32, shape (s, s), optional
            Logits of the result that is corrected: of a `Segment`, a `TrackedFrame`'s row, a
            `Refined` or one of its candidates.
        cancelled : callable or threading.Event, optional
            Asked before and after the image is encoded, and between the encoder's layers.

        Returns
        -------
        Refined
            One click alone is ambiguous (a part, or the whole): of three candidates it gets the
            one with the best estimate. Anything more gets the mask that SAM2 trains for clear
            prompts. The others come along.

        Raises
        ------
        InvalidInput, NotEnoughMemory, EngineError, Cancelled
        """
        asked = as_callable(cancelled)
        said = Correction(points, labels, box, mask, previous)
        parts = refined_parts(self.network, self._looking, image, said, asked)
        (found,) = self._guarded(parts, "correcting", asked)
        return found


def refined_parts(
    network: Sa2VANetwork,
    looking: Looking,
    image: NDArray[np.uint8],
    said: Correction,
    cancelled: Callable[[], bool] | None,
) -> Iterator[Refined]:
    """Find an object by points, a box and paint; yields once; see `Sa2VA.refine`."""
    check_image(image)
    size, sam2 = (image.shape[0], image.shape[1]), network.sam2
    side = int(sam2.image_size)
    low = side // 4
    checked = checked_correction(said, size, low)
    stop_if(cancelled)
    prompts = Prompts(
        points_prompt(checked.points, checked.labels, checked.box, size, side),
        mask_prompt(checked.mask, checked.previous, low),
    )
    original = sam2.tracking_decoder
    features = looking.features(image, original=True)
    stop_if(cancelled)
    decoder = sam2.sam_mask_decoder if original is None else original
    decoded = decode(sam2, decoder, features, prompts)
    high = F.interpolate(
        decoded.logits[:, None], size=(side, side), mode="bilinear", align_corners=False
    )
    with torch.inference_mode():
        masks = [
            finished(one, big, iou, decoded.present, size)
            for one, big, iou in zip(decoded.logits, high[:, 0], decoded.ious, strict=True)
        ]
    chosen, *others = (
        Candidate(mask.logits, mask.mask, mask.iou, mask.mean_probability) for mask in masks
    )
    yield Refined(
        chosen.logits,
        chosen.mask,
        chosen.iou,
        chosen.mean_probability,
        tuple(others),
        decoded.present,
    )


def checked_correction(said: Correction, size: tuple[int, int], low: int) -> Correction:
    """Return a correction with its box in order and within the image, and a point in its paint.

    Parameters
    ----------
    size : tuple of int
        Height and width of the image.
    low : int
        Side of SAM2's low resolution.

    Raises
    ------
    InvalidInput
        If it says nothing, or what cannot be.
    """
    points, labels = _checked_points(said, size)
    box = None if said.box is None else _checked_box(said.box, size)
    mask, previous = said.mask, said.previous
    if mask is not None:
        if mask.dtype != np.bool_ or mask.shape != size:
            raise InvalidInput(
                f"A painted mask must be boolean and of the image's size {size}, not "
                f"{mask.dtype} of shape {mask.shape}."
            )
        if not mask.any():
            raise InvalidInput("The painted mask is empty. Paint the object, or take it out.")
    if previous is not None and (
        previous.dtype.kind != "f"
        or previous.shape != (low, low)
        or not np.isfinite(previous).all()
    ):
        raise InvalidInput(
            f"The earlier result must be its logits, finite and of shape ({low}, {low}), not "
            f"{previous.dtype} of shape {previous.shape}."
        )
    if not points and box is None and mask is None:
        raise InvalidInput("There is nothing to go by. Click, draw a box or paint.")
    if box is None and mask is None and previous is None and not any(labels):
        raise InvalidInput(
            "There are only points outside the object, and none in it. Click in the object first."
        )
    if mask is not None and box is None and 1 not in labels:
        points, labels = [*points, inner_point(mask)], [*labels, 1]
    return Correction(points, labels, box, mask, previous)


def _checked_points(
    said: Correction, size: tuple[int, int]
) -> tuple[list[tuple[float, float]], list[int]]:
    try:
        points = np.asarray(said.points, float).reshape(-1, 2)
        labels = np.asarray(said.labels).reshape(-1).tolist()
    except (TypeError, ValueError) as error:
        raise InvalidInput("Points must be pairs of row and column.") from error
    if len(points) != len(said.points) or len(labels) != len(points):
        raise InvalidInput(
            "Every point must be a pair of row and column, with one label each: there are "
            f"{len(said.points)} points and {len(labels)} labels."
        )
    for label in labels:
        if label not in (0, 1):
            raise InvalidInput(
                f"A point's label must be 1 (in the object) or 0 (not in it), not {label}."
            )
    for row, column in points.tolist():
        if not (
            -_EDGE <= row <= size[0] - _EDGE and -_EDGE <= column <= size[1] - _EDGE
        ):  # nan too
            raise InvalidInput(
                f"The point at row {row:g}, column {column:g} is outside the image of {size[0]} "
                f"by {size[1]} pixels. Click in the image."
            )
    return [(row, column) for row, column in points.tolist()], [int(label) for label in labels]


def _checked_box(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    try:
        top, left, bottom, right = (float(side) for side in box)
    except (TypeError, ValueError) as error:
        raise InvalidInput("A box must be four numbers: top, left, bottom and right.") from error
    if not all(map(math.isfinite, (top, left, bottom, right))):
        raise InvalidInput("A box must be four finite numbers: top, left, bottom and right.")
    rows = sorted(min(max(row, -_EDGE), size[0] - _EDGE) for row in (top, bottom))
    columns = sorted(min(max(column, -_EDGE), size[1] - _EDGE) for column in (left, right))
    if rows[0] == rows[1] or columns[0] == columns[1]:
        raise InvalidInput("The box holds nothing of the image. Draw it over the object.")
    return rows[0], columns[0], rows[1], columns[1]
