"""What was said before a question: plain values, no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question of a conversation, and what the model answered.

    Attributes
    ----------
    question : str
        As the user typed it, without ``<image>``.
    answer : str
        As the model wrote it, with ``<p>`` and ``[SEG]`` and without the sign of its end: `raw` of
        `napari_sa2va.model.Answer` and of `napari_sa2va.engine.QuestionDone`.
    """

    question: str
    answer: str
