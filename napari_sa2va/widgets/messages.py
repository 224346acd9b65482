"""What the dock tells the user outside the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.run import LabelRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sa2va.engine import QuestionDone
    from napari_sa2va.viewer.track_run import TrackRun


_NOTHING_NEW: Final = (
    " was found, but its mask is empty or all of it has labels already. With Options ▸ Labels "
    "there ▸ are replaced, a run gives its pixels to the new label."
)
_NOTHING_NEW_OF_THEM: Final = (
    " were found, but their masks are empty or all of them has labels already. With Options ▸ "
    "Labels there ▸ are replaced, a run gives their pixels to the new labels."
)
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Message:
    """One line or two for the message bar.

    Attributes
    ----------
    text : str
        Says what happened and what to do.
    level : str
        Decides the colour.
    button : str
        Name of something to do about it, ``""`` for nothing.
    action : callable, optional
        What the button does.
    """

    text: str
    level: Literal["info", "warning", "error"] = "info"
    button: str = ""
    action: Callable[[], object] | None = None


def failure(error: Exception) -> Message:
    """Say that a run failed; what nobody expected is named."""
    text = str(error) or type(error).__name__
    if not isinstance(error, Sa2VAError):
        text = f"The run failed ({type(error).__name__}): {text}"
    return Message(text, "error")


def already_there(found: dict[str, list[int]]) -> str:
    """Warn that phrases have their labels already.

    Examples
    --------
    >>> already_there({"the red cell": [3]})
    'Already there: “the red cell” is label 3.'
    """
    each = (
        f"“{phrase}” is label {labels[0]}"
        if len(labels) == 1
        else f"“{phrase}” is labels {', '.join(map(str, labels[:8]))}{'…' * (len(labels) > 8)}"
        for phrase, labels in found.items()
    )
    return f"Already there: {'; '.join(each)}."


def unknown_words(words: tuple[str, ...], model: str) -> str:
    """Warn that a model spells words letter by letter."""
    listed = ", ".join(f"“{word}”" for word in words)
    return f"The {model} model does not know the word{'s' * (len(words) > 1)} {listed}."


def notes_on_answer(
    done: QuestionDone, phrase: str | None, model: str, *, nothing_new: bool, cancelled: bool
) -> list[Message]:
    """Say what a user should know of an answer.

    Parameters
    ----------
    done : QuestionDone
    phrase : str or None
        The expression, where one was typed.
    model : str
        Name of the model.
    nothing_new : bool
        Whether no pixel got a label.
    cancelled : bool
        Whether the run was cancelled meanwhile.
    """
    texts = []
    if phrase is not None and not done.masks:
        words = f" The model says: {done.answer.strip()}" if done.answer.strip() else ""
        texts.append(f"Not found: “{phrase}”.{words}")
    elif done.masks and nothing_new:
        texts.append(f"“{phrase or 'What was found'}”{_NOTHING_NEW}")
    if not done.complete and not cancelled:
        texts.append("The answer did not end by itself and was cut off at the greatest length.")
    if done.unknown_words:
        texts.append(unknown_words(done.unknown_words, model))
    return [Message(text, "warning") for text in texts]


def overlapping(
    results: Sequence[LabelRun | TrackRun], tell: Callable[[Message], object]
) -> Message:
    """Offer to give runs the pixels that earlier objects kept.

    Parameters
    ----------
    results : sequence of LabelRun or TrackRun
        Several where the same was followed through one stack after the other.
    tell : callable
        Called with a `Message` where that fails.
    """
    result = results[-1]
    many = sum(len(each.overlapped) for each in results)
    shown = ", ".join(map(str, result.overlapped[:8])) + "…" * (many > 8)
    plural = "s" * (many > 1)
    if len(results) > 1:
        where = f"earlier objects in {many} planes, which kept their pixels"
    elif isinstance(result, LabelRun):
        where = f"object{plural} {shown}, which kept {'their' if many > 1 else 'its'} pixels"
    else:
        where = f"earlier objects in plane{plural} {shown}, which kept their pixels"
    overwrite = partial(_overwrite, tuple(results), tell)
    return Message(f"What was found overlaps {where}.", "info", "Overwrite", overwrite)


def _overwrite(results: Sequence[LabelRun | TrackRun], tell: Callable[[Message], object]) -> None:
    for result in results:
        try:
            result.overwrite()
        except Sa2VAError as error:
            result.commit()  # what was written before it can be undone
            tell(Message(str(error), "error"))
            return


def combined(notes: list[Message]) -> Message:
    """Put the notes of a run into one message, as grave as the gravest.

    Of several buttons the last one is kept.
    """
    order = ("info", "warning", "error")
    level = max((note.level for note in notes), key=order.index)
    texts = _joined(list(dict.fromkeys(note.text for note in notes)))
    act = next((note for note in reversed(notes) if note.action is not None), Message(""))
    return Message("\n".join(texts), level, act.button, act.action)


def _joined(texts: list[str]) -> list[str]:
    """Say once what holds of several expressions: nothing of them was new."""
    names = [text.removesuffix(_NOTHING_NEW) for text in texts if text.endswith(_NOTHING_NEW)]
    if len(names) < 2:
        return texts
    more = len(names) - _MOST_NAMED
    listed = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    first = next(at for at, text in enumerate(texts) if text.endswith(_NOTHING_NEW))
    texts = [*texts[:first], f"{listed}{_NOTHING_NEW_OF_THEM}", *texts[first:]]
    return [text for text in texts if not text.endswith(_NOTHING_NEW)]
