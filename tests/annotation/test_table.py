from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from napari_sa2va.annotation import ObjectRecord, ObjectTable
from napari_sa2va.annotation.records import frames_in, frames_text, now, same_phrase
from napari_sa2va.annotation.table import (
    COLUMNS,
    MAX_ROWS,
    STACK_COLUMNS,
    records_in,
    update_features,
)


def record(label: int, phrase: str = "the red cell") -> ObjectRecord:
    return ObjectRecord(label, phrase, "Sure, [SEG].", 0.9, 0.8, 12.5, "µm²", "demo", now())


def test_row_i_describes_label_i() -> None:
    features = ObjectTable([record(3, "c"), record(1, "a")]).features()
    assert list(features["index"]) == [0, 1, 2, 3]
    assert features["phrase"][1] == "a"
    assert features["phrase"][3] == "c"
    assert features["phrase"][0] is None
    assert features["phrase"][2] is None
    assert math.isnan(features["score"][0])
    assert tuple(features.columns) == COLUMNS


def test_no_records_leave_the_background_row() -> None:
    features = ObjectTable().features()
    assert list(features["index"]) == [0]


def test_beyond_the_limit_only_records_have_rows() -> None:
    features = ObjectTable([record(2), record(MAX_ROWS + 1)]).features()
    assert list(features["index"]) == [2, MAX_ROWS + 1]
    assert len(ObjectTable([record(MAX_ROWS)]).features()) == MAX_ROWS + 1


def test_measurements_of_other_plugins_stay_with_their_label() -> None:
    others = pd.DataFrame({"index": [1, 2, 5], "mean": [10.0, 20.0, 50.0], "phrase": ["old"] * 3})
    features = ObjectTable([record(1), record(3)]).features(others)
    assert list(features["index"]) == [0, 1, 2, 3, 4, 5]
    assert features["mean"][2] == 20
    assert features["mean"][5] == 50
    assert np.isnan(features["mean"][3])
    assert features["phrase"][1] == "the red cell"
    assert features["phrase"][5] is None


def test_measurements_without_an_index_are_by_row() -> None:
    features = ObjectTable([record(1)]).features(pd.DataFrame({"mean": [0.0, 7.0]}))
    assert features["mean"][1] == 7


def test_records_go_in_and_out() -> None:
    table = ObjectTable([record(2), record(1)])
    assert [r.label for r in table] == [1, 2]
    assert table.remove(1).label == 1
    assert 1 not in table
    assert len(table) == 1


def test_same_phrase() -> None:
    assert same_phrase("The  red cell.", "the red cell")
    assert not same_phrase("the red cell", "the red cells")


def test_time_has_an_offset() -> None:
    assert pd.Timestamp(now()).tzinfo is not None


def test_records_can_be_read_back() -> None:
    records = [record(1), record(3, "the green cell")]
    assert records_in(ObjectTable(records).features()) == records
    assert records_in(pd.DataFrame({"index": [1], "phrase": ["mine"]})) == []


def test_frames_are_written_shortly() -> None:
    frames = (1, 2, 3, 7, 10, 11)
    assert frames_text(frames) == "1-3, 7, 10-11"
    assert frames_in("1-3, 7, 10-11") == frames
    assert frames_in(frames_text(())) == ()


def test_records_of_a_stack_come_back() -> None:
    track = replace(record(2), frames=4, first_frame=0, last_frame=9, flagged=(3, 4, 8))
    features = ObjectTable([record(1), track]).features()
    assert tuple(features.columns) == (*COLUMNS, *STACK_COLUMNS)
    assert features["first_frame"][1] is None and features["frames"][0] is None
    assert features["last_frame"][2] == 9 and features["flagged"][2] == "3-4, 8"
    assert records_in(features) == [record(1), track]
    # Made before stacks were known, or by a table without any.
    assert records_in(features[list(COLUMNS)])[1] == record(2)
    # The columns are not taken for those of others.
    assert "flagged" not in ObjectTable([record(1)]).features(features).columns


def test_rows_are_updated_in_place() -> None:
    track = replace(record(2), frames=4, first_frame=0, last_frame=9)
    features = ObjectTable([record(1), track]).features()
    grown = replace(track, area=99.0, last_frame=12, flagged=(12,))
    assert update_features(features, [grown])
    assert records_in(features) == [record(1), grown]
    assert not update_features(features, [record(3)])
    assert not update_features(features[list(COLUMNS)], [grown])


def test_what_the_user_says_has_columns_where_there_is_something_to_say() -> None:
    plain, noted = record(1), replace(record(2), note="mitosis?", locked=True, status="accepted")
    features = ObjectTable([plain, noted]).features()
    assert tuple(features.columns) == (*COLUMNS, "status", "note", "locked")
    assert features["note"][2] == "mitosis?"
    assert features["note"][1] is None  # the status bar leaves it out
    assert records_in(features) == [plain, noted]
    assert not update_features(features, [replace(plain, color="#ff0000")])
    assert update_features(features, [replace(noted, note="")])
    assert records_in(features)[1] == replace(noted, note="")
