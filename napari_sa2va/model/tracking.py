"""Following objects through the frames of a video or the planes of a stack.

Two ways. *Official*: the frames that the language model looks at become conditioning frames, and
the fine-tuned decoder follows the objects from there. *Consistent* (Sa2VA-i, Kumuji et al.): SAM2's
memory was never trained with the fine-tuned decoder, so that decoder only finds the objects in the
frames looked at, without memory; its masks are handed to SAM2 as mask prompts, and SAM2's original
decoder follows them.

Directions. Forward starts at the first conditioning frame, backward at the last; both ways is
forward from the first one to the end, then backward from it to the beginning. The two directions
share the conditioning frames and nothing else: so what is found backward does not depend on
whether the other direction was asked for, and equals forward tracking of the reversed video.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.checks import check_image
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import finished
from napari_sa2va.model.memory import Memory, masks_at_sam_size
from napari_sa2va.model.preprocess import sam2_image
from napari_sa2va.model.results import TrackedFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import FrameFeatures, HeadsOutput

Direction = Literal["forward", "backward", "both"]
Method = Literal["official", "consistent"]

# So many frames does the language model look at in the official inference.
KEY_FRAMES: Final = 5


class Frames(Protocol):
    """Frames of one size, read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...


def default_keys(frames: int, method: Method) -> tuple[int, ...]:
    """Return the frames that are looked at unless a user says otherwise.

    The first five in the official way, five spread evenly in the consistent one.
    """
    if method == "official":
        return tuple(range(min(KEY_FRAMES, frames)))
    return tuple(sorted({int(place) for place in np.linspace(0, frames - 1, KEY_FRAMES)}))


def order_of(frames: int, keys: Sequence[int], direction: Direction) -> tuple[list[int], list[int]]:
    """Return the frames to visit forward, then those to visit backward."""
    first, last = min(keys), max(keys)
    forward = list(range(first, frames)) if direction != "backward" else []
    start = {"forward": -1, "backward": last, "both": first - 1}[direction]
    return forward, list(range(start, -1, -1))


class Tracker:
    """Goes through frames with a memory of some objects, each frame encoded once.

    Parameters
    ----------
    network : Sa2VANetwork
    frames : Frames
    consistent : bool
        Follow with SAM2's original decoder (see the module's text).
    """

    def __init__(self, network: Sa2VANetwork, frames: Frames, *, consistent: bool) -> None:
        self._network = network
        self._sam2 = network.sam2
        self._frames = frames
        decoder = self._sam2.tracking_decoder if consistent else None
        self._decoder = self._sam2.sam_mask_decoder if decoder is None else decoder
        self._memory = Memory(
            self._sam2,
            len(frames),
            self._decoder,
            overwrite_absent=self._decoder is not self._sam2.sam_mask_decoder,
        )
        self._seeds: dict[int, TrackedFrame] = {}
        self._objects = 0

    @torch.inference_mode()
    def seed_by_language(self, index: int, language: Tensor) -> None:
        """Condition on a frame, in the official way; embeddings of shape (n, d_model)."""
        frame, features = self._look(index)
        out = self._memory.condition_on_language(index, self._sam2.for_decoder(features), language)
        self._keep(index, out, frame.shape[:2])

    @torch.inference_mode()
    def seed_by_found_masks(self, index: int, language: Tensor) -> None:
        """Condition on the masks that the fine-tuned decoder finds, in the consistent way."""
        frame, features = self._look(index)
        seen = self._sam2.for_decoder(features).expanded(len(language))
        top = self._sam2.without_memory(seen.top)
        found = self._sam2.heads(top, seen.fine, language=language[:, None]).low_res_masks
        at_frame = F.interpolate(found, size=frame.shape[:2], mode="bilinear", align_corners=False)
        self._seed(index, features, at_frame[:, 0] > 0, frame.shape[:2])

    @torch.inference_mode()
    def seed_by_masks(self, index: int, masks: NDArray[np.bool_]) -> None:
        """Condition on given masks, shape (n, height, width)."""
        frame, features = self._look(index)
        given = torch.from_numpy(np.ascontiguousarray(masks)).to(self._sam2.device)
        self._seed(index, features, given, frame.shape[:2])

    def run(
        self, direction: Direction, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[TrackedFrame]:
        """Yield the objects in every frame that the direction reaches, in the order visited."""
        forward, backward = order_of(len(self._frames), list(self._seeds), direction)
        for order, memory in ((forward, self._memory), (backward, self._memory.reversed())):
            for index in order:
                stop_if(cancelled)
                seed = self._seeds.get(index)
                yield seed if seed is not None else self._step(index, memory)

    @torch.inference_mode()
    def _step(self, index: int, memory: Memory) -> TrackedFrame:
        frame, features = self._look(index)
        out = memory.follow(index, self._sam2.for_decoder(features, self._decoder), self._objects)
        return _tracked(index, out, frame.shape[:2], seed=False)

    def _look(self, index: int) -> tuple[NDArray[np.uint8], FrameFeatures]:
        frame = self._frames[index]
        check_image(frame)
        image = sam2_image(frame, self._network.config).to(self._sam2.device)
        return frame, self._sam2.encode(image[None])

    def _seed(
        self, index: int, features: FrameFeatures, masks: Tensor, size: tuple[int, int]
    ) -> None:
        given = masks_at_sam_size(masks, self._sam2.image_size)
        seen = self._sam2.for_decoder(features, self._decoder)
        self._keep(index, self._memory.condition_on_masks(index, seen, given), size)

    def _keep(self, index: int, out: HeadsOutput, size: tuple[int, int]) -> None:
        self._objects = len(out.low_res_masks)
        self._seeds[index] = _tracked(index, out, size, seed=True)


def follow_masks(
    network: Sa2VANetwork,
    frames: Frames,
    masks: Mapping[int, NDArray[np.bool_]],
    direction: Direction = "forward",
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[TrackedFrame]:
    """Follow objects from masks of them in one or more frames.

    SAM2's original decoder follows them where the checkpoint has it.

    Parameters
    ----------
    masks : mapping of int to ndarray of bool, shape (n, height, width)
        By frame; every frame has the same objects in the same order, an empty mask where one is
        not there.

    Raises
    ------
    InvalidInput
        If a frame or a mask does not fit.
    """
    check_masks(frames, masks)
    tracker = Tracker(network, frames, consistent=True)
    for index in sorted(masks):
        stop_if(cancelled)
        tracker.seed_by_masks(index, masks[index])
    yield from tracker.run(direction, cancelled)


def follow_language(
    network: Sa2VANetwork,
    frames: Frames,
    language: Tensor,
    keys: Sequence[int],
    method: Method,
    direction: Direction = "forward",
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[TrackedFrame]:
    """Follow objects from their language embeddings (n, d_model) in the frames looked at."""
    tracker = Tracker(network, frames, consistent=method == "consistent")
    for index in sorted(set(keys)):
        stop_if(cancelled)
        if method == "consistent":
            tracker.seed_by_found_masks(index, language)
        else:
            tracker.seed_by_language(index, language)
    yield from tracker.run(direction, cancelled)


def check_keys(frames: Frames, keys: Sequence[int]) -> None:
    """Raise `InvalidInput` unless the frames to look at are there."""
    if not len(frames):
        raise InvalidInput("There are no frames to look at.")
    wrong = [key for key in keys if not 0 <= key < len(frames)]
    if wrong or not keys:
        raise InvalidInput(
            f"The frames to look at must be among 0 to {len(frames) - 1}"
            + (f", not {wrong[0]}." if wrong else "; none is given.")
        )


def check_masks(frames: Frames, masks: Mapping[int, NDArray[np.bool_]]) -> None:
    """Raise `InvalidInput` unless masks fit their frames and each other."""
    check_keys(frames, list(masks))
    counts = {len(given) for given in masks.values()}
    for index, given in masks.items():
        size = frames[index].shape[:2]
        if given.dtype != np.bool_ or given.ndim != 3 or given.shape[1:] != size or not len(given):
            raise InvalidInput(
                f"The masks of frame {index} must be boolean, of shape (objects, {size[0]}, "
                f"{size[1]}), not {given.dtype} of shape {given.shape}."
            )
    if len(counts) > 1:
        raise InvalidInput("Every frame must have masks of the same objects, in the same order.")


def _tracked(index: int, out: HeadsOutput, size: tuple[int, int], *, seed: bool) -> TrackedFrame:
    low, high = out.low_res_masks[:, 0], out.high_res_masks[:, 0]
    ious = out.ious.float().amax(dim=-1).tolist()
    present = out.object_score_logits.float().sigmoid()[:, 0].tolist()
    found = [finished(*one, size) for one in zip(low, high, ious, present, strict=True)]
    return TrackedFrame(
        index=index,
        masks=np.stack([mask.mask for mask in found]),
        logits=np.stack([mask.logits for mask in found]),
        ious=np.array([mask.iou for mask in found], np.float32),
        mean_probabilities=np.array([mask.mean_probability for mask in found], np.float32),
        present=np.array([mask.present for mask in found], np.float32),
        seed=seed,
    )
