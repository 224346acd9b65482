"""What SAM2 says of some objects in a frame, and what a user gets of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sa2va.model.drift import Reading
from napari_sa2va.model.grounding import finished
from napari_sa2va.model.results import TrackedFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sa2va.model.sam2_network import HeadsOutput


class Outcome(NamedTuple):
    """What SAM2 says of `n` objects in a frame; the masks at other sizes follow from it.

    Attributes
    ----------
    logits : Tensor of float32, shape (n, s, s)
        At SAM2's low resolution.
    ious, present : Tensor of float32, shape (n,)
        Predicted IoU, and the probability that the object is there.
    """

    logits: Tensor
    ious: Tensor
    present: Tensor

    @classmethod
    def of(cls, out: HeadsOutput) -> Outcome:
        """Take it from what the heads return."""
        return cls(
            out.low_res_masks[:, 0].contiguous(),
            out.ious.float().amax(dim=-1),
            out.object_score_logits.float().sigmoid()[:, 0],
        )

    def changed(self, change: Callable[[Tensor], Tensor]) -> Outcome:
        """Apply a function to every tensor."""
        return Outcome(*map(change, self))

    @staticmethod
    def together(parts: Sequence[Outcome]) -> Outcome:
        """Put the objects of several outcomes in one, in this order."""
        return Outcome(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def rows(self, chosen: Sequence[int]) -> Outcome:
        """Take some of the objects, in this order."""
        return self.changed(lambda tensor: tensor[list(chosen)])


def tracked_frame(
    index: int, outcome: Outcome, size: tuple[int, int], side: int, *, seed: bool
) -> TrackedFrame:
    """Bring masks to a frame's size, without any flags.

    Parameters
    ----------
    size : tuple of int
        Height and width of the frame.
    side : int
        Of SAM2's input, over which the logits reach the frame.
    """
    logits = outcome.logits
    high = F.interpolate(logits[:, None], size=(side, side), mode="bilinear", align_corners=False)
    numbers = outcome.ious.tolist(), outcome.present.tolist()
    found = [finished(*one, size) for one in zip(logits, high[:, 0], *numbers, strict=True)]
    return TrackedFrame(
        index=index,
        masks=np.stack([mask.mask for mask in found]),
        logits=np.stack([mask.logits for mask in found]),
        ious=np.array([mask.iou for mask in found], np.float32),
        mean_probabilities=np.array([mask.mean_probability for mask in found], np.float32),
        present=np.array([mask.present for mask in found], np.float32),
        seed=seed,
        flags=((),) * len(found),
    )


def readings(frame: TrackedFrame) -> list[Reading]:
    """Return the numbers of each object that drift is told by."""
    return [
        Reading(float(iou), float(mean), float(present), float(np.count_nonzero(mask)))
        for iou, mean, present, mask in zip(
            frame.ious, frame.mean_probabilities, frame.present, frame.masks, strict=True
        )
    ]
