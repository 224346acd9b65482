"""A report for people: picture, table, conversation, and a paragraph of methods.

What users and models wrote is text and stays text: in HTML every character that means something is
escaped, and the page forbids itself scripts and anything from elsewhere; in Markdown all marks are
escaped, and addresses too.
"""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import numpy as np
from PIL import Image

from napari_sa2va.annotation.records import now
from napari_sa2va.io.atomic import replacing, replacing_all
from napari_sa2va.io.colours import label_colour
from napari_sa2va.io.export.annotations import colour_of
from napari_sa2va.io.export.methods import methods
from napari_sa2va.io.export.report_table import HEADINGS, rows_of
from napari_sa2va.io.overlay import draw_overlay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.conversation import Turn
    from napari_sa2va.io.export.annotations import Annotations, Place

WARNING: Final = (
    "What a language model says of an image is neither a measurement nor a diagnosis. Numbers in "
    "the table are measured on the labels; scores and texts are the model's."
)
_LARGEST_DRAWN: Final = 10**6
_MOST_NUMBERED: Final = 200
# Marks that mean something wherever they are; addresses, of which some readers make links without
# any mark; and what begins a list, a heading or a rule at the start of a line.
_MARKS: Final = re.compile(r"([\\`*_\[\]<>|~&@$^])")
_ADDRESS: Final = re.compile(r"(:(?=//)|(?<=www)\.)", re.IGNORECASE)
_BEGINNING: Final = re.compile(r"^(\d*)([-+=#.)])")
# HTML has no way to write them, and Markdown becomes HTML.
_CONTROL: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), " ")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%;height:auto}table{border-collapse:collapse;font-size:.9rem}"
    "td,th{border:1px solid #999;padding:.2rem .5rem;text-align:left;vertical-align:top}"
    ".chip{display:inline-block;width:.9em;height:.9em;border:1px solid #555}"
    "blockquote{margin:.3rem 0;padding:.2rem .8rem;border-left:.2rem solid #999;"
    "white-space:pre-wrap;overflow-wrap:anywhere}.note{color:#555}"
)
_HEAD: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    # Whatever slips through can neither run nor load.
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\">"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What both kinds of report show.

    Attributes
    ----------
    place : Place
        The plane in the picture: the first of those with most objects.
    picture : (height, width, 3) uint8 array
    rows : list
        Cells as text, under `HEADINGS`.
    colours : list of str
        ``#rrggbb`` of each row.
    """

    annotations: Annotations
    place: Place
    picture: NDArray[np.uint8]
    rows: list[list[str]]
    colours: list[str]
    methods: str
    when: str

    @property
    def caption(self) -> str:
        """What the picture shows."""
        plane = self.annotations.title(self.place)
        return (
            f"{self.annotations.name}{f', {plane}' if plane else ''}. Numbers, if any, are labels."
        )


def write_html(annotations: Annotations, path: Path) -> list[str]:
    """Write one HTML file with all in it; return what it cannot hold."""
    parts = _parts(annotations)
    buffer = io.BytesIO()
    Image.fromarray(parts.picture).save(buffer, format="PNG")
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    with replacing(path) as temporary:
        page = _html(parts, source).translate(_CONTROL)
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return _notes(annotations, parts)


def picture_beside(path: Path) -> Path:
    """Return where a page's picture goes."""
    # Not the page's own name: what was annotated may lie beside it, and be called so.
    return path.with_name(f"{path.stem}_picture.png")


def write_markdown(annotations: Annotations, path: Path) -> list[str]:
    """Write Markdown and a PNG of the same name beside it; return what they cannot hold."""
    parts = _parts(annotations)
    picture = picture_beside(path)
    with replacing_all(path, picture) as (page, drawn):
        Image.fromarray(parts.picture).save(drawn, format="PNG")
        text = _markdown(parts, picture.name)
        page.write_text(text.translate(_CONTROL), encoding="utf-8", errors="replace")
    return _notes(annotations, parts)


def _parts(annotations: Annotations) -> _Parts:
    place, plane = _fullest(annotations)
    image = (
        annotations.pictures.plane(place)
        if annotations.pictures is not None
        else np.full((*plane.shape, 3), 32, np.uint8)
    )
    # Numbers alone: they have a letter in every font. The drawing keeps a colour for each up to the
    # largest.
    drawn = np.where(plane <= _LARGEST_DRAWN, plane, 0).astype(np.int64)
    many = _count(plane) > _MOST_NUMBERED
    records = annotations.by_label()
    own = {label: colour_of(one) for label, one in records.items() if one.color}  # as in the table
    picture = _tinted(image, drawn, own) if many else draw_overlay(image, drawn, {}, own)
    rows, colours = rows_of(annotations)
    return _Parts(annotations, place, picture, rows, colours, methods(annotations), now())


def _fullest(annotations: Annotations) -> tuple[Place, NDArray[np.integer]]:
    best: tuple[int, Place] = (-1, ())
    for place, plane in annotations.planes():
        count = _count(plane)
        if count > best[0]:
            best = count, place
    return best[1], annotations.plane(best[1])


def _count(plane: NDArray[np.integer]) -> int:
    return int(np.count_nonzero(np.unique(plane)))


def _tinted(
    image: NDArray[np.uint8],
    labels: NDArray[np.integer],
    chosen: Mapping[int, tuple[int, int, int]],
) -> NDArray[np.uint8]:
    """Colour the objects without numbers, for which so many have no room."""
    numbers = np.unique(labels)
    colours = np.array(
        [
            chosen.get(int(label)) or label_colour(int(label)) if label else (0, 0, 0)
            for label in numbers
        ]
    )
    own = colours[np.searchsorted(numbers, labels)]
    mixed = np.where(labels[..., None] > 0, (image.astype(np.int64) + own) // 2, image)
    return mixed.astype(np.uint8)


# --- HTML


def _html(parts: _Parts, source: str) -> str:
    name = html.escape(parts.annotations.name)
    head = f"{_HEAD}<title>{name}</title><style>{_STYLE}</style></head><body>"
    body = [
        f"<h1>{name}</h1>",
        f'<figure><img src="{source}" alt="The image with its objects">'
        f"<figcaption>{html.escape(parts.caption)}</figcaption></figure>",
        f'<p class="note">{html.escape(WARNING)}</p>',
        f"<h2>Objects</h2>{_html_table(parts)}",
    ]
    if parts.annotations.turns:
        body.append("<h2>Conversation</h2>")
        body += [
            f"<p><b>{html.escape(turn.speaker)}</b></p>"
            f"<blockquote>{html.escape(turn.text)}</blockquote>"
            + (f'<p class="note">{html.escape(note)}</p>' if (note := _note(turn)) else "")
            for turn in parts.annotations.turns
        ]
    body.append(f"<h2>Methods</h2><p>{html.escape(parts.methods)}</p>")
    body.append(f'<p class="note">Written {html.escape(parts.when)}.</p>')
    return "\n".join([head, *body, "</body></html>"]) + "\n"


def _html_table(parts: _Parts) -> str:
    if not parts.rows:
        return "<p>None.</p>"
    headings = "".join(f"<th>{html.escape(heading)}</th>" for heading in ("", *HEADINGS))
    lines = [
        f'<tr><td><span class="chip" style="background:{colour}"></span></td>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row, colour in zip(parts.rows, parts.colours, strict=True)
    ]
    return "\n".join([f"<table><tr>{headings}</tr>", *lines, "</table>"])


# --- Markdown


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: one line, no link, picture, HTML or list."""
    plain = _MARKS.sub(r"\\\1", " ".join(text.split()))
    return _BEGINNING.sub(r"\1\\\2", _ADDRESS.sub(r"\\\1", plain))


def _markdown(parts: _Parts, picture: str) -> str:
    blocks = [
        f"# {escaped(parts.annotations.name)}",
        f"![The image with its objects]({quote(picture)})",
        escaped(parts.caption),
        f"*{escaped(WARNING)}*",
        "## Objects",
        _markdown_table(parts),
    ]
    if parts.annotations.turns:
        blocks.append("## Conversation")
        for turn in parts.annotations.turns:
            said = "\n>\n".join(f"> {escaped(line)}" for line in _lines(turn.text))
            blocks.append(f"**{escaped(turn.speaker)}**\n\n{said}")
            if note := _note(turn):
                blocks.append(f"*{escaped(note)}*")
    blocks += ["## Methods", escaped(parts.methods), escaped(f"Written {parts.when}.")]
    return "\n\n".join(blocks) + "\n"


def _markdown_table(parts: _Parts) -> str:
    if not parts.rows:
        return "None."
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
    lines += [_line([escaped(cell) for cell in row]) for row in parts.rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _note(turn: Turn) -> str:
    """Return what a reader should know of a turn, beside its words."""
    aside = "A question in its place was asked later." if turn.aside else ""
    return " ".join(filter(None, (turn.note, aside)))


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()] or [""]


def _notes(annotations: Annotations, parts: _Parts) -> list[str]:
    notes = ["A report is for people: the labels cannot be read back from it."]
    if len(annotations.places) > 1:
        notes.append("One plane is shown: the first of those with the most objects.")
    if any(int(label) > _LARGEST_DRAWN for label, *_ in parts.rows):
        notes.append(f"Labels above {_LARGEST_DRAWN:,} are not in the picture.")
    if annotations.pictures is None:
        notes.append("The image itself is not known here: the picture shows the labels alone.")
    return notes
