"""One question about an image or a movie, from its beginning to its last mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import prompts
from napari_sa2va.model.checks import check_image, check_question
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import masks
from napari_sa2va.model.looking import NOTHING
from napari_sa2va.model.regions import region_tokens
from napari_sa2va.model.results import Segment, SegmentPart
from napari_sa2va.model.speech import Speech

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.model.looking import Looking, Seen
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import Part
    from napari_sa2va.model.tokenizer import Tokenizer
    from napari_sa2va.model.turns import Exchange

    Stop = Callable[[], bool] | None
    # An image, the frames of a movie, or nothing.
    Shown = NDArray[np.uint8] | Sequence[NDArray[np.uint8]] | None


class Asker(NamedTuple):
    """What answers a question."""

    network: Sa2VANetwork
    tokenizer: Tokenizer
    looking: Looking


def image_parts(
    asker: Asker,
    image: Shown,
    text: str,
    regions: NDArray[np.bool_] | None,
    before: Sequence[Exchange],
    cancelled: Stop,
    limit: int,
) -> Iterator[Part]:
    """Answer a question about an image or a movie, or in words only; see `Sa2VA.ask`."""
    frames = _checked(image, text, regions)
    network, looking = asker.network, asker.looking
    if regions is not None and not network.config.takes_regions:
        raise InvalidInput(
            "This checkpoint was not trained to be asked about regions. Choose one of the InternVL "
            "family, or ask about all of the image."
        )
    stop_if(cancelled)
    seen = _seen(looking, image, cancelled)
    if frames and before:
        opening = prompts.first_question(before[0].question)
        before = (replace(before[0], question=opening), *before[1:])
    question = prompts.first_question(text) if frames and not before else text
    pointed = [] if regions is None else region_tokens(regions, network.config.token_side)
    speech = Speech(*asker, seen, question, pointed, cancelled, limit, before)
    yield from speech.parts()
    segments: list[Segment] = []
    if frames and speech.objects:
        features = looking.features(frames[0])
        stop_if(cancelled)
        size = (frames[0].shape[0], frames[0].shape[1])
        found = masks(network.sam2, features, speech.language(), size)
        for mask, phrase in zip(found, speech.phrases(), strict=True):
            name, span = phrase if phrase is not None else (None, None)
            segments.append(Segment(name, span, *mask))
            yield SegmentPart(segments[-1])
            stop_if(cancelled)
    yield speech.answer(segments)


def _checked(image: Shown, text: str, regions: NDArray[np.bool_] | None) -> list[NDArray[np.uint8]]:
    """Return the frames, one of an image, none of nothing; raise unless they can be asked about."""
    if image is None or isinstance(image, np.ndarray):
        check_question(image, text, regions)
        return [] if image is None else [image]
    frames = list(image)
    if not frames:
        raise InvalidInput("The movie has no frame to look at. Choose one at least.")
    check_question(frames[0], text, None)
    if regions is not None:
        raise InvalidInput("Regions can be pointed out in one image, not in a movie.")
    for frame in frames[1:]:
        check_image(frame)
        if frame.shape != frames[0].shape:
            raise InvalidInput(
                f"The frames of a movie must be of one size, not {frames[0].shape[:2]} and "
                f"{frame.shape[:2]}."
            )
    return frames


def _seen(looking: Looking, image: Shown, cancelled: Stop) -> Seen:
    if image is None:
        return NOTHING
    if isinstance(image, np.ndarray):
        return looking.image(image, cancelled)
    return looking.frames(image, cancelled)
