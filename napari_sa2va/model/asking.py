"""One question from its beginning to its last mask: about an image, or about a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import prompts
from napari_sa2va.model.checks import check_image, check_question
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import masks
from napari_sa2va.model.looking import NOTHING
from napari_sa2va.model.regions import region_tokens
from napari_sa2va.model.results import Found, FoundObject, Segment, SegmentPart
from napari_sa2va.model.speech import Speech
from napari_sa2va.model.tracking import check_keys, default_keys, follow_language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model.looking import Looking
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import Part, VideoPart
    from napari_sa2va.model.tokenizer import Tokenizer
    from napari_sa2va.model.tracking import Direction, Frames, Method


class Asker(NamedTuple):
    """What answers a question."""

    network: Sa2VANetwork
    tokenizer: Tokenizer
    looking: Looking


def image_parts(
    asker: Asker,
    image: NDArray[np.uint8] | None,
    text: str,
    regions: NDArray[np.bool_] | None,
    cancelled: Callable[[], bool] | None,
    limit: int,
) -> Iterator[Part]:
    """Answer a question about an image, or in words only; see `Sa2VA.ask`."""
    check_question(image, text, regions)
    stop_if(cancelled)
    network, looking = asker.network, asker.looking
    seen = NOTHING if image is None else looking.image(image, cancelled)
    question = text if image is None else prompts.first_question(text)
    pointed = [] if regions is None else region_tokens(regions, network.config.token_side)
    speech = Speech(*asker, seen, question, pointed, cancelled, limit)
    yield from speech.parts()
    segments: list[Segment] = []
    if image is not None and speech.objects:
        features = looking.features(image)
        stop_if(cancelled)
        found = masks(network.sam2, features, speech.language(), image.shape[:2])
        for mask, phrase in zip(found, speech.phrases(), strict=True):
            name, span = phrase if phrase is not None else (None, None)
            segments.append(Segment(name, span, *mask))
            yield SegmentPart(segments[-1])
            stop_if(cancelled)
    yield speech.answer(segments)


def video_parts(
    asker: Asker,
    frames: Frames,
    text: str,
    keys: Sequence[int] | None,
    method: Method | None,
    direction: Direction,
    cancelled: Callable[[], bool] | None,
    limit: int,
) -> Iterator[VideoPart]:
    """Answer a question about a video and follow what it points out; see `Sa2VA.track`."""
    check_question(None, text, None)
    network, looking = asker.network, asker.looking
    method = chosen_method(network, method)
    looked_at = tuple(sorted(set(keys))) if keys is not None else default_keys(len(frames), method)
    check_keys(frames, looked_at)
    stop_if(cancelled)
    pixels = [frames[index] for index in looked_at]
    for frame in pixels:
        check_image(frame)
    seen = looking.frames(pixels, cancelled)
    del pixels
    question = prompts.first_question(text)
    speech = Speech(*asker, seen, question, (), cancelled, limit)
    yield from speech.parts()
    named = [phrase if phrase is not None else (None, None) for phrase in speech.phrases()]
    yield Found(speech.answer(), tuple(FoundObject(*name) for name in named), looked_at)
    if speech.objects:
        yield from follow_language(
            network, frames, speech.language(), looked_at, method, direction, cancelled
        )


def chosen_method(network: Sa2VANetwork, method: Method | None) -> Method:
    """Return the way to track: the consistent one by default, where the checkpoint allows it.

    Raises
    ------
    InvalidInput
        If the consistent way is asked for and the checkpoint lacks SAM2's original decoder.
    """
    possible = network.sam2.tracking_decoder is not None
    if method == "consistent" and not possible:
        raise InvalidInput(
            "This checkpoint lacks SAM2's original mask decoder, which consistent tracking needs. "
            "Choose official tracking, or a Sa2VA-i checkpoint."
        )
    return method or ("consistent" if possible else "official")
