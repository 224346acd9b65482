"""What was measured and what was said of objects, as text: for reading and for spreadsheets."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sa2va.annotation.measure import Measured, PlaneIndex
    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.io.export.space import Space

_MARKS: Final = re.compile("</?p>|<[|]im_end[|]>")
_SHORT: Final = {"micrometer": "µm", "second": "s", "pixel": "px"}


def measured_lines(found: Measured, space: Space) -> list[str]:
    """Write one object's numbers, a line each."""
    lines = []
    if not math.isnan(found.volume):
        lines.append(f"volume {number(found.volume)} µm³")
    if not math.isnan(found.area):
        per_plane = " a plane" if found.planes > 1 else ""
        lines.append(f"area {number(found.area)} µm²{per_plane}")
    lines.append(f"{found.pixels:,} pixels")
    lines.append(f"centre {_centre(found, space)}")
    if found.planes > 1:
        first, last = (_title(place, space) for place in (found.first, found.last))
        lines.append(f"in {found.planes} planes, {first} to {last}")
    elif title := _title(found.first, space):
        lines.append(f"in one plane, {title}")
    lines += [
        f"{one.channel} {number(one.mean)} ({number(one.lowest)} to {number(one.highest)})"
        for one in found.intensities
        if not math.isnan(one.mean)
    ]
    return lines


def said_lines(record: ObjectRecord) -> list[str]:
    """Write what the model said of one object, or the user, a line each."""
    lines = [f"“{record.phrase}”" if record.phrase else "no phrase"]
    if not math.isnan(record.score):
        lines.append(f"score {record.score:.2f}")
    # Of several masks in an answer, which is this object's is not in its row.
    named = f"■ {record.label}" if record.answer.count("[SEG]") == 1 else "■"
    answer = " ".join(_MARKS.sub("", record.answer.replace("[SEG]", named)).split())
    if answer and record.author == "model":
        lines.append(answer)
    if record.description:
        lines.append(" ".join(record.description.split()))
    if record.author == "user":
        lines.append("drawn by hand")
    return lines


@dataclass(frozen=True, slots=True)
class Summary:
    """One quantity of several objects.

    Attributes
    ----------
    name, unit : str
    count : int
        Of the objects where it is known.
    total : float
        nan for what does not add up, such as brightness.
    mean, sd : float
        The standard deviation is that of a sample; nan of one object.
    """

    name: str
    unit: str
    count: int
    total: float
    mean: float
    sd: float


def summarized(found: Iterable[Measured]) -> list[Summary]:
    """Return count, total, mean and standard deviation of what was measured."""
    objects = list(found)
    flat = all(math.isnan(one.volume) for one in objects)  # areas of single planes add up to none
    quantities: list[tuple[str, str, bool, list[float]]] = [
        ("volume", "µm³", True, [one.volume for one in objects]),
        ("area", "µm²", flat, [one.area for one in objects]),
        ("pixels", "", True, [float(one.pixels) for one in objects]),
    ]
    channels = [one.channel for one in objects[0].intensities] if objects else []
    quantities += [
        (name, "", False, [one.intensities[place].mean for one in objects])
        for place, name in enumerate(channels)
    ]
    summaries = []
    for name, unit, adds_up, numbers in quantities:
        known = [value for value in numbers if not math.isnan(value)]
        if known:
            summaries.append(
                Summary(
                    name,
                    unit,
                    len(known),
                    math.fsum(known) if adds_up else math.nan,
                    statistics.fmean(known),
                    statistics.stdev(known) if len(known) > 1 else math.nan,
                )
            )
    return summaries


def summary_lines(summaries: Sequence[Summary]) -> list[str]:
    """Write a summary for reading, a line a quantity."""
    lines = []
    for one in summaries:
        unit = f" {one.unit}" if one.unit else ""
        if one.name == "pixels" and len(summaries) > 1 and summaries[0].name != "pixels":
            continue  # said in µm already
        spread = "" if math.isnan(one.sd) else f" ± {number(one.sd)}"
        total = "" if math.isnan(one.total) else f", total {number(one.total)}{unit}"
        lines.append(f"{one.name} {number(one.mean)}{spread}{unit}{total}")
    return lines


def tsv(
    found: Sequence[Measured], records: dict[int, ObjectRecord], space: Space, *, summary: bool
) -> str:
    """Return a table for a spreadsheet: a row per object, and perhaps the summary below it."""
    return "\n".join("\t".join(map(_cell, row)) for row in _rows(found, records, space, summary))


def _rows(
    found: Sequence[Measured], records: dict[int, ObjectRecord], space: Space, summary: bool
) -> Iterator[list[str]]:
    channels = [one.channel for one in found[0].intensities] if found else []
    centres = [
        f"centre {axis} ({_SHORT[unit]})"
        for axis, unit in zip(space.axes, space.units, strict=True)
    ]
    bright = [f"{what} {name}" for name in channels for what in ("mean", "min", "max")]
    yield [
        "label", "phrase", "status", "score", "pixels", "planes", "first plane", "last plane",
        "area (µm²)", "volume (µm³)", *centres, *bright, "description",
    ]  # fmt: skip
    for one in found:
        record = records.get(one.label)
        numbers = [
            _exact(value)
            for each in one.intensities
            for value in (each.mean, each.lowest, each.highest)
        ]
        yield [
            str(one.label),
            record.phrase if record else "",
            record.shown_status if record else "",
            _exact(record.score) if record else "",
            str(one.pixels),
            str(one.planes),
            _title(one.first, space),
            _title(one.last, space),
            _exact(one.area),
            _exact(one.volume),
            *map(_exact, one.centroid),
            *numbers,
            record.description if record else "",
        ]
    if summary:
        yield []
        yield ["quantity", "unit", "objects", "total", "mean", "SD"]
        for line in summarized(found):
            values = (line.total, line.mean, line.sd)
            yield [line.name, line.unit, str(line.count), *map(_exact, values)]


def number(value: float) -> str:
    """Write a number for reading: four digits that count, none lost before the point.

    Examples
    --------
    >>> number(0.012345), number(12.3456), number(123456.7), number(4e9)
    ('0.01235', '12.35', '123,457', '4,000,000,000')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _centre(found: Measured, space: Space) -> str:
    """Write the centroid on the axes of space, in the order x, y, z."""
    shown = [
        (axis, f"{axis} {number(at)}", _SHORT[unit])
        for axis, at, unit in zip(space.axes, found.centroid, space.units, strict=True)
        if axis in ("x", "y", "z")
    ]
    units = list(dict.fromkeys(unit for *_, unit in shown))
    texts = [text for _, text, _ in sorted(shown)]
    if len(units) == 1:
        return f"{', '.join(texts)} {units[0]}"
    return ", ".join(f"{text} {unit}" for _, text, unit in sorted(shown))


def _title(plane: PlaneIndex, space: Space) -> str:
    """Name a plane, such as ``t 3, z 0``; nothing where there is only one."""
    pairs = zip(space.axes, plane, strict=True)
    return ", ".join(f"{axis} {at}" for axis, at in pairs if at is not None)


def _exact(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"


def _cell(text: str) -> str:
    """Return a text without what ends a cell, and which no spreadsheet takes for a formula."""
    plain = " ".join(text.split())
    formula = plain[:1] in ("=", "+", "@") or (plain[:1] == "-" and not _is_number(plain))
    return f"'{plain}" if formula else plain


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
