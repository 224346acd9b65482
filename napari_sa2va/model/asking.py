"""One question about an image, from its beginning to its last mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import prompts
from napari_sa2va.model.checks import check_question
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import masks
from napari_sa2va.model.looking import NOTHING
from napari_sa2va.model.regions import region_tokens
from napari_sa2va.model.results import Segment, SegmentPart
from napari_sa2va.model.speech import Speech

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model.looking import Looking
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import Part
    from napari_sa2va.model.tokenizer import Tokenizer


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
    network, looking = asker.network, asker.looking
    if regions is not None and not network.config.takes_regions:
        raise InvalidInput(
            "This checkpoint was not trained to be asked about regions. Choose one of the InternVL "
            "family, or ask about all of the image."
        )
    stop_if(cancelled)
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
