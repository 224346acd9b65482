"""A published size with random weights: seconds by part, and peak memory.

``python benchmarks/full_size.py [FOLDER] [--name Sa2VA-InternVL3-2B] [--dtype float32]
[--device cpu] [--parts image five video]``

Without a folder, a checkpoint is written to a temporary one (`random_checkpoint`) and deleted
afterwards. One image of 512 x 512 pixels is asked about, then a second question about the same
image, then five objects of another image, then one object through a video of 8 frames.

Random weights say nothing sensible, so the answer is put into the model's mouth: every step
computes the logits as always, and then the next token of "Sure, [SEG]." is taken in their place.
The number of steps is that of a trained model: six, the end of the answer included.

Parts: *looking* is the vision tower and its projector, *prompt* the reading of the prompt with the
visual tokens in it, *decoding* all steps after it, *encoder* SAM2's image encoder, *masks* SAM2's
mask decoder and, in videos, its memory, *rest* everything else. The figures to compare with are the
official code's at the same sizes on two cores of the same type in float32: 20.5 s, 18.7 s for the
second question, 61 s for five objects, 10.5 GB, and 169 s and 13 runs of the encoder for the video.
Machines differ, and so does one from hour to hour. Two things are printed to tell by: how fast it
multiplies matrices, on one thread and on all, and the ratio to the official code in units of what a
run of SAM2's encoder, the same code in both, takes: a quarter of the 40.5 s by which five objects
took the official code, which runs it for each, longer than one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loading
import numpy as np
import random_checkpoint
import torch

from napari_sa2va import Sa2VA
from napari_sa2va.model import TrackedFrame

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = "Sure, [SEG]."
FIVE = "Sure, [SEG], [SEG], [SEG], [SEG] and [SEG]."
PARTS = ("looking", "prompt", "decoding", "encoder", "masks")
# Seconds of the official code, and what share of them is aimed at.
OFFICIAL = {"image": (20.5, 0.7), "again": (18.7, 0.15), "five": (61.0, 0.3), "video": (169.0, 1.0)}


ENCODER = (61.0 - 20.5) / 4


def speed(threads: int) -> float:
    """Return how many billion operations a second a product of large matrices runs at."""
    before, side = torch.get_num_threads(), 2048
    torch.set_num_threads(threads)
    one, other = torch.randn(side, side), torch.randn(side, side)
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - began)
    torch.set_num_threads(before)
    return 2 * side**3 / 1e9 / float(np.median(seconds))


class Stage:
    """A model whose parts are timed, and whose answers are given to it.

    Parameters
    ----------
    model : Sa2VA
    """

    def __init__(self, model: Sa2VA) -> None:
        self.model = model
        self.seconds: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.encoder = 0.0
        self._lines: list[int] = []
        backbone, sam2 = model.network.backbone, model.network.sam2
        self._wrap(backbone, "look", "looking")
        self._wrap(backbone, "glance", "looking")
        self._wrap(backbone, "read", lambda rows, *_: "prompt" if len(rows) > 1 else "decoding")
        self._wrap(backbone, "logits", "decoding", self._forced)
        self._wrap(sam2, "encode", "encoder")
        self._wrap(sam2, "heads", "masks")
        for name in ("_prepare_memory_conditioned_features", "_encode_new_memory"):
            self._wrap(sam2, name, "masks")

    def say(self, answer: str) -> None:
        """Set what the next answer is, and start counting anew."""
        tokenizer = self.model._tokenizer
        end = min(tokenizer.stop)
        # A tokenizer may put a sign in front of a text; what it puts before nothing goes.
        self._lines = [*tokenizer.encode(answer)[len(tokenizer.encode("")) :], end]
        self.seconds.clear()
        self.runs.clear()

    def _forced(self, logits: torch.Tensor) -> torch.Tensor:
        forced = torch.zeros_like(logits)
        forced[..., self._lines.pop(0)] = 1
        return forced

    def _wrap(
        self,
        owner: Any,
        name: str,
        part: str | Callable[..., str],
        after: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        plain = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            began = self._now()
            value = plain(*args, **named)
            told = part if isinstance(part, str) else part(*args)
            self.seconds[told] += self._now() - began
            self.runs[told] += 1
            return after(value)

        setattr(owner, name, timed)

    def _now(self) -> float:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def timed(self, name: str, answer: str, run: Callable[[], int]) -> None:
        """Run something, print what it took and what share the encoder had."""
        self.say(answer)
        with loading.Peak() as peak:
            began = self._now()
            objects = run()
            total = self._now() - began
        each = {part: self.seconds[part] for part in PARTS}
        each["rest"] = total - sum(each.values())
        official, aim = OFFICIAL[name]
        if self.runs["encoder"]:
            self.encoder = each["encoder"] / self.runs["encoder"]
        in_runs = f" ({total / self.encoder / (official / ENCODER):.2f} x by the encoder)"
        steps = ", ".join(f"{part} {seconds:.2f}" for part, seconds in each.items())
        sys.stdout.write(
            f"{name}: {total:.2f} s ({steps}); encoder {100 * each['encoder'] / total:.0f} %, "
            f"{self.runs['encoder']} runs; {objects} objects; "
            f"official {official} s: {total / official:.2f} x{in_runs if self.encoder else ''}, "
            f"aim {aim}; "
            f"peak {peak.bytes / 1e9:.2f} GB\n"
        )
        sys.stdout.flush()


def picture(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return 512 x 512 pixels of smooth noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


def measure(folder: str, device: str, dtype: str, parts: list[str]) -> None:
    """Print the figures of one checkpoint."""
    threads = torch.get_num_threads()
    sys.stdout.write(
        f"matrices at {speed(1):.0f} GFLOP/s on one thread, {speed(threads):.0f} on {threads}\n"
    )
    before = loading.anonymous()
    with loading.Peak() as peak:
        began = time.perf_counter()
        model = Sa2VA.from_pretrained(folder, device, dtype)
        seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{model.dtype_name} on {model.device}, {torch.get_num_threads()} threads; loaded in "
        f"{seconds:.1f} s, weights {model.bytes_held / 1e9:.2f} GB, peak "
        f"{(peak.bytes - before) / 1e9:.2f} GB\n"
    )
    sys.stdout.flush()
    stage, image = Stage(model), picture(1)
    if "image" in parts:
        ask = "Please segment the red cell in this image."
        stage.timed("image", ONE, lambda: len(model.answer(image, ask).segments))
        again = "Please segment the bright nucleus in this image."
        stage.timed("again", ONE, lambda: len(model.answer(image, again).segments))
    if "five" in parts:
        five = "Please segment the five round cells in this image."
        stage.timed("five", FIVE, lambda: len(model.answer(picture(2), five).segments))
    if "video" in parts:
        model.clear_cache()
        frames = [picture(3 + number) for number in range(8)]
        ask = "Please segment the red cell."

        def follow() -> int:
            began, objects = time.perf_counter(), 0
            for part in model.track(frames, ask):
                if isinstance(part, TrackedFrame):
                    objects = len(part.masks)
                    took = time.perf_counter() - began
                    sys.stdout.write(
                        f"  frame {part.index} after {took:.1f} s, "
                        f"{stage.runs['encoder']} runs of the encoder\n"
                    )
                    sys.stdout.flush()
            return objects

        stage.timed("video", ONE, follow)
    if model.device.type == "cuda":
        used = torch.cuda.max_memory_allocated() / 1e9
        sys.stdout.write(f"peak on the GPU {used:.2f} GB\n")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--name", default="Sa2VA-InternVL3-2B", help="… 8B, … 14B and all others")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16, int8, …")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parts", nargs="+", default=["image", "five", "video"])
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory(prefix="sa2va-") as temporary:
        folder = chosen.folder or str(
            random_checkpoint.write(chosen.name, Path(temporary) / "checkpoint")
        )
        measure(folder, chosen.device, chosen.dtype, chosen.parts)


if __name__ == "__main__":
    main()
