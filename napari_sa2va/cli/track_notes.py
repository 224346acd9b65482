"""What is known of a tracking beside its frames: kept in its folder, told at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_sa2va.annotation.records import now
from napari_sa2va.cli.results import Reply
from napari_sa2va.engine import (
    ModelReady,
    QuestionDone,
    RunDone,
    TrackedObject,
    TrackStarted,
)
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from napari_sa2va.engine import Event, Question


@dataclass(slots=True)
class TrackNotes:
    """Gathers what is no frame.

    Attributes
    ----------
    identity : dict
        What tells this run from others; see `napari_sa2va.cli.track_job.identity`.
    within : (int, int)
        First plane, and the one after the last.
    keys : tuple of int
        The planes that the model looks at.
    objects : tuple of TrackedObject
        Those with labels 1 to n.
    model : dict or None
        Its name, device and dtype.
    created : str
        When the run began first.
    sam2_file : str
        Where SAM2's original mask decoder was read from; empty where the checkpoint's own served.
    """

    identity: dict[str, Any]
    within: tuple[int, int]
    keys: tuple[int, ...]
    replies: list[Reply] = field(default_factory=list)
    objects: tuple[TrackedObject, ...] = ()
    model: dict[str, str] | None = None
    created: str = field(default_factory=now)
    done: RunDone | None = None
    sam2_file: str = ""

    def add(self, event: Event, questions: tuple[Question, ...]) -> None:
        """Take in the next event of a run."""
        match event:
            case ModelReady():
                self.model = {
                    "name": event.name,
                    "device": event.device,
                    "dtype": event.dtype,
                }
            case QuestionDone():
                self.replies.append(self._reply(event, questions[event.index]))
            case TrackStarted():
                self.objects = event.objects
            case RunDone():
                self.done = event

    def _reply(self, event: QuestionDone, question: Question) -> Reply:
        first = 1 + sum(len(reply.labels) for reply in self.replies)
        return Reply(
            question.text,
            question.phrase,
            event.answer,
            tuple(range(first, first + event.masks)),
            event.unknown_words,
            cut_off=not event.complete,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return {
            "job": self.identity,
            "range": list(self.within),
            "keys": list(self.keys),
            "replies": [asdict(reply) for reply in self.replies],
            "objects": [asdict(one) for one in self.objects],
            "model": self.model,
            "created": self.created,
            "sam2_file": self.sam2_file,
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> TrackNotes:
        """Read what `as_json` returned.

        Raises
        ------
        InvalidInput
            If it is something else.
        """
        try:
            start, stop = said["range"]
            return cls(
                dict(said["job"]),
                (int(start), int(stop)),
                tuple(said["keys"]),
                [_reply(reply) for reply in said["replies"]],
                tuple(TrackedObject(**one) for one in said["objects"]),
                said["model"],
                said["created"],
                sam2_file=str(said.get("sam2_file", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                "What is kept of an earlier run is damaged. Start over with --restart."
            ) from error


def _reply(said: dict[str, Any]) -> Reply:
    reply = Reply(**said)
    return replace(reply, labels=tuple(reply.labels), unknown_words=tuple(reply.unknown_words))
