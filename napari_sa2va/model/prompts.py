"""From words to the strings that Sa2VA was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from napari_sa2va.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE: Final = "<image>"
IMAGE_CONTEXT: Final = "<IMG_CONTEXT>"
SEG: Final = "[SEG]"
CAPTION_QUESTION: Final = (
    "Please describe in detail the contents of the image. Please respond with interleaved "
    "segmentation masks for the corresponding parts of the answer."
)
"""Asks for a grounded caption, in the words of Sa2VA's training data."""


class Signs(NamedTuple):
    """Tokens that only the program writes into a prompt, and that end an answer.

    Attributes
    ----------
    visual : str
        Stands where a visual token goes.
    image_end : str
        Follows each image.
    others : tuple of str
        The other ones that a question must not hold.
    stop : tuple of str
        Those of them that the vocabulary has end an answer.
    """

    visual: str
    image_end: str
    others: tuple[str, ...]
    stop: tuple[str, ...]


# Of the InternVL family, by chat template; both write a turn the same way.
_TEMPLATES: Final = {
    "qwen_chat": Signs(
        IMAGE_CONTEXT,
        "</img>",
        ("<img>", "<|im_start|>", "<|im_end|>"),
        ("<|im_end|>", "<|endoftext|>"),
    ),
    "internlm2_chat": Signs(
        IMAGE_CONTEXT, "</img>", ("<img>", "<|im_start|>", "<|im_end|>"), ("<|im_end|>",)
    ),
}


def template_signs(template: str) -> Signs:
    """Return the signs of a chat template of the InternVL family.

    Raises
    ------
    CheckpointError
        If it is not known.
    """
    if template not in _TEMPLATES:
        raise CheckpointError(f"This version does not know the chat template {template!r}.")
    return _TEMPLATES[template]


def segmentation_question(phrase: str) -> str:
    """Turn a bare expression into the question of the training data.

    In training, phrases were lower-cased and lost a final full stop.

    Examples
    --------
    >>> segmentation_question("The large red cell.")
    'Please segment the large red cell in this image.'
    """
    cleaned = phrase.strip().removesuffix(".").strip().lower()
    return f"Please segment {cleaned} in this image."


def turn(text: str) -> str:
    """Write a user's turn in the chat template of the InternVL family, up to the answer."""
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


def next_turn(text: str) -> str:
    """Write a user's turn behind an earlier answer, whose end it begins with.

    In training, too, a turn ended with this sign and a line break (xtuner's templates ``qwen_chat``
    and ``internlm2_chat``).
    """
    return f"<|im_end|>\n{turn(text)}"


def first_question(question: str) -> str:
    """Put the image in front of a question, as the first question of training has it."""
    return question if IMAGE in question else f"{IMAGE}\n{question}"


def image_string(tiles: int, tokens_per_tile: int) -> str:
    """Return what ``<image>`` becomes for one image of so many tiles."""
    return f"<img>{IMAGE_CONTEXT * (tiles * tokens_per_tile)}</img>"


def video_string(frames: int, tokens_per_tile: int) -> str:
    """Return what ``<image>`` becomes for video frames, one tile each."""
    return "\n".join([image_string(1, tokens_per_tile)] * frames)


def region_string(token_counts: Sequence[int]) -> str:
    """Return what follows the image tokens when regions are pointed out.

    Parameters
    ----------
    token_counts : sequence of int
        Visual tokens that each region covers in the last tile's grid.
    """
    regions = ", ".join(
        f"region{number}<vp>{IMAGE_CONTEXT * count}</vp>"
        for number, count in enumerate(token_counts, start=1)
    )
    return f"\nThere are {len(token_counts)} part regions in the picture: {regions}.\n"
