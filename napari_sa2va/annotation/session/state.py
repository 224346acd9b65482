"""What is known about the objects after some entry of the log, the pixels apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sa2va.annotation.session.about import About, LabelsInfo
from napari_sa2va.annotation.session.log import (
    record_detail,
    record_from,
    turn_detail,
    turn_from,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sa2va.annotation.conversation import Turn
    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.annotation.session.log import LogEntry

BEGUN = "begun"
"""Kind of the first entry: its detail says which image and layer the session is about."""
REPLACED = "replaced"
"""Kind of an entry after which the layer has another array; its detail says which, all zeros."""

ASKED = "asked"
"""Kind of an entry about something that was said: it changes no row."""
SAME_AS = "same_as"
"""In a detail: the number of the entry whose detail has what this one leaves out."""


@dataclass(slots=True)
class Rows:
    """Records and conversation after entry `n`.

    Attributes
    ----------
    n : int
    records : dict
        By label.
    turns : list of Turn
    """

    n: int = 0
    records: dict[int, ObjectRecord] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    def follow(self, entry: LogEntry) -> None:
        """Do what an entry says."""
        for label, record in entry.rows.items():
            if record is None:
                self.records.pop(label, None)
            else:
                self.records[label] = record
        if entry.turns is not None:
            self.turns[entry.turns_from :] = entry.turns
        self.n = entry.n

    def detail(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "folded": self.n,
            "records": [record_detail(self.records[label]) for label in sorted(self.records)],
            "turns": [turn_detail(turn) for turn in self.turns],
        }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Rows:
        """Return what `detail` told of."""
        records = [record_from(row) for row in said["records"]]
        turns = [turn_from(turn) for turn in said["turns"]]
        return cls(int(said["folded"]), {record.label: record for record in records}, turns)


def replaced_by(entry: LogEntry) -> LabelsInfo | None:
    """Return the array that takes the place of the one before; None for other entries.

    Raises
    ------
    KeyError, TypeError
        If the entry does not say.
    """
    if entry.kind != REPLACED:
        return None
    return About.read({"images": (), "labels": entry.detail["labels"]}).labels
