from __future__ import annotations

import pytest

from napari_sa2va.annotation.mentions import mentioned, mentions, regions_counted
from napari_sa2va.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "named", "labels"),
    [
        ("Compare @3 with @7", "Compare region1 with region2", (3, 7)),
        ("@7 or @3? Surely @7.", "region1 or region2? Surely region1.", (7, 3)),
        ("Is (@12), like @1's neighbour?", "Is (region1), like region2's neighbour?", (12, 1)),
        ("Who wrote to me@3.org, @3d or b@3?", "Who wrote to me@3.org, @3d or b@3?", ()),
        ("Please describe region1.", "Please describe region1.", ()),
    ],
)
def test_labels_become_regions_in_the_order_of_their_mention(
    text: str, named: str, labels: tuple[int, ...]
) -> None:
    assert mentioned(text, {1, 3, 7, 12}) == (named, labels)
    assert mentions(text) == bool(labels)


def test_an_unknown_label_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(InvalidInput, match=r"@9 is not there.*Labels there: 3, 7\."):
        mentioned("Describe @9", {7, 3})
    with pytest.raises(InvalidInput, match="no label in the plane"):
        mentioned("Describe @9", ())
    with pytest.raises(InvalidInput, match=r"11, 12, …\.$"):
        mentioned("Describe @99", range(1, 90))


def test_labels_and_numbers_of_regions_do_not_mix() -> None:
    with pytest.raises(InvalidInput, match="either the one or the other"):
        mentioned("Compare @3 with region1", {3})


def test_regions_are_counted() -> None:
    assert regions_counted("Compare Region2 with region1 and the region3.") == 3
    assert regions_counted("Which regions, and what is in region 2 of the brain?") == 0
