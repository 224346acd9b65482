"""Asking the questions of a tracking run about one frame alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from napari_sa2va.model import prompts
from napari_sa2va.model.cache import LookCache
from napari_sa2va.model.looking import Looking
from napari_sa2va.model.speech import Speech

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.asking import Asker
    from napari_sa2va.model.track_state import TrackState
    from napari_sa2va.model.tracking import AskAgain

# What is kept of a frame while questions are asked about it again; it goes with the frame.
_CACHE_BYTES: Final = 1 << 30


def asked_again(
    asker: Asker, state: TrackState, cancelled: Callable[[], bool] | None
) -> AskAgain | None:
    """Return what asks the questions of a run about one frame alone; None if nothing is asked."""
    if not state.check_every:
        return None
    numbers = sorted({one.question for one in state.objects if one.question is not None})

    def ask(pixels: NDArray[np.uint8]) -> dict[int, Tensor]:
        # A cache of its own: thousands of frames that nobody asks about again would fill the other.
        looking = Looking(asker.network, asker.tokenizer, LookCache(_CACHE_BYTES))
        seen = looking.frames([pixels], cancelled)
        told: dict[int, Tensor] = {}
        for number in numbers:
            question = prompts.first_question(state.texts[number])
            speech = Speech(
                asker.network,
                asker.tokenizer,
                looking,
                seen,
                question,
                (),
                cancelled,
                state.max_new_tokens,
            )
            for _ in speech.parts():
                pass
            none = torch.zeros(0, asker.network.config.sam2.d_model)
            told[number] = speech.language() if speech.objects else none
        return told

    return ask
