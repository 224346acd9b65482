"""Questions to a loaded checkpoint, in words and masks, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.model.asking import image_parts
from napari_sa2va.model.decoding import MAX_NEW_TOKENS
from napari_sa2va.model.failures import as_callable
from napari_sa2va.model.refine import CorrectingModel
from napari_sa2va.model.results import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model.asking import Shown
    from napari_sa2va.model.failures import Cancel
    from napari_sa2va.model.results import Part
    from napari_sa2va.model.turns import Exchange


class AnsweringModel(CorrectingModel):
    """A loaded checkpoint that answers questions about an image or a movie."""

    def answer(
        self,
        image: Shown,
        text: str,
        regions: NDArray[np.bool_] | None = None,
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        before: Sequence[Exchange] = (),
    ) -> Answer:
        """Run `ask` to its end and return the whole answer."""
        *_, answer = self.ask(
            image, text, regions, cancelled, max_new_tokens=max_new_tokens, before=before
        )
        assert isinstance(answer, Answer)
        return answer

    def ask(
        self,
        image: Shown,
        text: str,
        regions: NDArray[np.bool_] | None = None,
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        before: Sequence[Exchange] = (),
    ) -> Iterator[Part]:
        """Answer a question, part by part.

        A conversation is what is handed in: to go on with it, ask with one more `Exchange` in
        `before`; to edit an earlier question, with fewer. What the model has read of this image
        and these turns is not read again, while the cache has room for it.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3), or a sequence of them, or None
            A sequence is the frames of a movie, all of one size, which are looked at together;
            masks are of the first. None for a question in words only, whose answer has no masks.
        text : str
            The question. Where the first one of a conversation contains ``<image>`` the image goes
            there, else in front.
        regions : ndarray of bool, shape (n, height, width), optional
            Regions that the question, or an earlier one, calls region1, region2, … They stand
            with the image, in front of all turns.
        cancelled : callable or threading.Event, optional
            Asked between tokens and between masks.
        max_new_tokens : int
            Where the answer is cut off.
        before : sequence of Exchange
            Earlier turns, oldest first; the image stays in view in all of them.

        Yields
        ------
        TextPart
            As the answer grows.
        SegmentPart
            For each object, after the text.
        Answer
            Once, last.

        Raises
        ------
        InvalidInput, NotEnoughMemory, EngineError, Cancelled
        """
        asked = as_callable(cancelled)
        parts = image_parts(self._asker, image, text, regions, before, asked, max_new_tokens)
        return self._guarded(parts, "answering", asked)
