"""Sa2VA: answer questions about images in words and masks, and follow objects in movies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sa2va.model.answering import AnsweringModel
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.decoding import MAX_NEW_TOKENS
from napari_sa2va.model.device import choose_device, choose_dtype
from napari_sa2va.model.failures import as_callable
from napari_sa2va.model.families import backbone_class
from napari_sa2va.model.loaded import CACHE_BYTES
from napari_sa2va.model.tokenizer import Tokenizer
from napari_sa2va.model.track_runs import (
    Course,
    Tracking,
    continued,
    language_run,
    masks_run,
    resumed_run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from napari_sa2va.model.checks import Frames
    from napari_sa2va.model.failures import Cancel
    from napari_sa2va.model.results import TrackedFrame, VideoPart
    from napari_sa2va.model.track_runs import Keep
    from napari_sa2va.model.track_state import Direction, Method, TrackState

    Progress = Callable[[str, float], object]


class Sa2VA(AnsweringModel):
    """A loaded checkpoint that answers questions.

    Made by `from_pretrained`. What it computes from pixels, and what it has read of a conversation,
    is kept (`LookCache`), so that another question about an image costs only its own words, and a
    click (`refine`) only SAM2's mask decoder.
    """

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        progress: Progress | None = None,
        cancelled: Cancel = None,
        cache_bytes: int = CACHE_BYTES,
        tracking_decoder: str | Path | None = None,
    ) -> Sa2VA:
        """Load a checkpoint.

        Parameters
        ----------
        folder : str or Path
            A checkpoint folder, ``"demo"``, or a name or Hub id as `napari_sa2va.zoo` knows them.
        device, dtype : str
            ``"auto"``, or as in ``"cpu"``, ``"cuda:1"``, ``"mps"`` and ``"float32"``,
            ``"bfloat16"``, ``"float16"``, ``"int8"``, ``"int4"`` (the last two of the language
            model's layers alone); see `napari_sa2va.model.device`.
        progress : callable, optional
            Called with a message and a fraction, 0 to 1.
        cancelled : callable or threading.Event, optional
            Ends the loading when it returns true or is set.
        tracking_decoder : str or Path, optional
            A file with SAM2's original mask decoder; see `load_tracking_decoder`.

        Raises
        ------
        CheckpointError, NotEnoughMemory, InvalidInput, Cancelled
        """
        path, asked, place = Path(folder), as_callable(cancelled), choose_device(device)
        chosen = choose_dtype(dtype, place)
        if not path.is_dir():
            from napari_sa2va.zoo.resolve import resolve

            path = resolve(str(folder), progress, asked)
        config = Sa2VAConfig.from_folder(path)
        tokenizer = Tokenizer(path, backbone_class(config.family).signs(config))
        network = load_network(path, place, chosen, progress, asked)
        model = cls(network, tokenizer, _name_of(path), cache_bytes)
        if tracking_decoder is not None:
            model.load_tracking_decoder(tracking_decoder)
        return model

    def track(
        self,
        frames: Frames,
        text: str | Sequence[str],
        keys: Sequence[int] | None = None,
        method: Method | None = None,
        direction: Direction = "forward",
        within: tuple[int, int] | None = None,
        check_every: int = 0,
        reseed: bool = False,
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> Tracking[VideoPart]:
        """Answer questions about a video and follow the objects they point out, in one pass.

        Parameters
        ----------
        frames : sequence of ndarray of uint8, shape (height, width, 3)
            All of one size; read one at a time, when needed. One frame is enough.
        text : str or sequence of str
            The question, or several: each is asked on its own, and all objects of all of them are
            then followed together.
        keys : sequence of int, optional
            The frames that are looked at, from which the tracking starts. By default the first
            five of the range in the official way, five spread evenly over it in the consistent one.
        method : "official" or "consistent", optional
            Official is how Sa2VA was published: the frames looked at are conditioned by language,
            and the decoder that Sa2VA fine-tuned follows the objects. Consistent is Sa2VA-i's way:
            that decoder only finds the masks in the frames looked at, and SAM2's original decoder,
            which SAM2's memory was trained with, follows them. It tracks better (5 to 11 points of
            J&F on MeViS), but needs the original decoder: from a Sa2VA-i checkpoint, or by
            `load_tracking_decoder`. It is the default where it is possible.
        direction : "forward", "backward" or "both"
            Forward from the first key, backward from the last; both ways from the first, forward
            to the end and then backward to the beginning.
        within : (int, int), optional
            The first frame, and the one after the last; all by default. Frames are counted in the
            whole stack everywhere.
        check_every : int
            Ask the questions again every so many frames from the nearest key, on that frame alone,
            and flag objects that are elsewhere by them; 0 for never.
        reseed : bool
            Where a check finds an object elsewhere, go on from there instead.
        cancelled : callable or threading.Event, optional
            Asked between tokens and between frames.
        max_new_tokens : int
            Where an answer is cut off.

        Returns
        -------
        Tracking
            An iterator over `TextPart` (as an answer grows) and `Found` (once per question: the
            answer and its objects), then a `TrackedFrame` after the other, in the order visited,
            with the objects of all questions; none when nothing was found. Its ``state`` is where
            the run is, for `resume`.

        Raises
        ------
        InvalidInput, UnreadablePlane, NotEnoughMemory, EngineError, Cancelled
            When iterated.
        """
        asked, texts = as_callable(cancelled), (text,) if isinstance(text, str) else tuple(text)
        course = Course(direction, within, method, keys, check_every, reseed, max_new_tokens)

        def start(keep: Keep) -> Iterator[VideoPart]:
            parts = language_run(self._asker, frames, texts, course, asked, keep)
            return self._guarded(parts, "tracking", asked)

        return Tracking(start)

    def track_masks(
        self,
        frames: Frames,
        masks: Mapping[int, NDArray[np.bool_]],
        direction: Direction = "forward",
        within: tuple[int, int] | None = None,
        cancelled: Cancel = None,
    ) -> Tracking[TrackedFrame]:
        """Follow objects from masks of them in one or more frames.

        SAM2's original decoder follows them where there is one, else the fine-tuned one.

        Parameters
        ----------
        frames : sequence of ndarray of uint8, shape (height, width, 3)
        masks : mapping of int to ndarray of bool, shape (n, height, width)
            By frame: the same objects in the same order, an empty mask where one is not there.
        direction, within, cancelled
            As in `track`.

        Returns
        -------
        Tracking
            An iterator over `TrackedFrame`.
        """
        asked, course = as_callable(cancelled), Course(direction, within)

        def start(keep: Keep) -> Iterator[TrackedFrame]:
            parts = masks_run(self.network, frames, masks, course, asked, keep)
            return self._guarded(parts, "tracking", asked)

        return Tracking(start)

    def resume(
        self,
        frames: Frames,
        state: TrackState,
        direction: Direction | None = None,
        within: tuple[int, int] | None = None,
        check_every: int | None = None,
        reseed: bool | None = None,
        cancelled: Cancel = None,
    ) -> Tracking[TrackedFrame]:
        """Go on with a run, as if it had never stopped.

        With the same model on the same device, the frames are bit by bit those of a run without a
        stop. What is finished is not visited again.

        Parameters
        ----------
        frames : sequence of ndarray of uint8, shape (height, width, 3)
            The same stack, or a longer one.
        state : TrackState
            From `Tracking.state`, or read by `TrackState.load`.
        direction, within, check_every, reseed
            As in `track`; None for as it was. A larger range extends the run: forward goes on from
            its end, and backward from its own.
        cancelled : callable or threading.Event, optional

        Returns
        -------
        Tracking
            An iterator over `TrackedFrame`.

        Raises
        ------
        InvalidInput
            If the state is of another checkpoint, or the range leaves out what it started from.
        """
        asked = as_callable(cancelled)
        going_on = continued(frames, state, direction, within, check_every, reseed)

        def start(keep: Keep) -> Iterator[TrackedFrame]:
            parts = resumed_run(self._asker, frames, going_on, asked, keep)
            return self._guarded(parts, "tracking", asked)

        return Tracking(start, going_on)


def _name_of(folder: Path) -> str:
    """Name a model after its folder; one in the Hub's cache, called after a commit, by its Hub id.

    The cache keeps ``owner/name`` in ``models--owner--name/snapshots/<commit>``.
    """
    folder = folder.resolve()
    if folder.parent.name != "snapshots":
        return folder.name
    return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
