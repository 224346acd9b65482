"""What a click on Run sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from napari_sa2va.annotation.mentions import mentions, regions_counted
from napari_sa2va.engine.planes import first_planes, parse_planes, spread_planes
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_sa2va.engine import ModelChoice
    from napari_sa2va.model.track_state import Direction, Method
    from napari_sa2va.viewer import LookAt
    from napari_sa2va.viewer.regions import RegionChoice

NOTHING_TYPED: Final = {
    "segment": "Type what to segment, for example: the large red cell.",
    "ask": "Type a question, for example: What is in this image?",
}
Mode = Literal["segment", "ask", "describe"]


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How objects are followed through a stack.

    Attributes
    ----------
    axis : int
        Of the image layer.
    keys : str
        Which planes are looked at: ``"current"``, ``"spread"``, ``"first"``, or a list as people
        write it, such as ``"0, 5-9"``.
    direction : "forward", "backward" or "both"
    method : "official", "consistent" or None
        None for consistent where the checkpoint allows it.
    within : (int, int)
        First plane and the one after the last.
    check_every : int
        Ask again every so many planes; 0 for never.
    reseed : bool
        Whether a disagreement there is mended, or only noted.
    sam2_file : str
        Where SAM2's original mask decoder is, for a checkpoint that has none; may be empty.
    each : bool
        Whether to repeat it for every index of the other axis, in data that has both z and time.
    """

    axis: int
    keys: str
    direction: Direction
    method: Method | None
    within: tuple[int, int]
    check_every: int = 0
    reseed: bool = False
    sam2_file: str = ""
    each: bool = False

    def planes_looked_at(self, current: int) -> tuple[int, ...]:
        """Return the planes that the language model looks at.

        Parameters
        ----------
        current : int
            The plane that is shown.

        Raises
        ------
        InvalidInput
            If a plane that is named, or the one shown, is outside the range.
        """
        start, stop = self.within
        match self.keys:
            case "spread":
                return spread_planes(start, stop)
            case "first":
                return first_planes(start, stop)
            case "current" if start <= current < stop:
                return (current,)
            case "current":
                raise InvalidInput(
                    f"The plane shown is {current}, and the range to follow through is {start} to "
                    f"{stop - 1}. Move the slider into the range, or enlarge the range."
                )
            case _:
                return parse_planes(self.keys, start, stop)


@dataclass(frozen=True, slots=True)
class Asked:
    """All that Run sends: what is looked at, by whom, what is asked, where results go.

    Attributes
    ----------
    text : str
        As typed.
    mode : str
        ``"segment"``: expressions, one a line; ``"ask"``: one question, word for word;
        ``"describe"``: a question about each region, the usual one where nothing is typed.
    images : tuple of Image
        Ticked layers.
    look_at : LookAt
        Which part of the plane.
    model : ModelChoice
        Which model, where.
    target : Labels or None
        Where results go; None for a layer that belongs to the image.
    replace : bool
        Whether masks take the pixels of labels that were there before.
    ask_overlap : bool
        If they do not: whether to offer it after the run, where there are any.
    split : bool
        Whether each connected part becomes a label of its own; not when objects are followed.
    track : TrackOptions or None
        How to follow what is found through the stack; None to look at one plane.
    regions : RegionChoice or None
        What can be asked about; None where there is no such layer.
    again_for : int or None
        The object of `target` whose phrase this is: it gets what is found, in the plane shown.
    movie : int or None
        The axis of the image layer whose planes a question is about, as a movie; None for the
        plane shown.
    frames : int
        How many of these the model looks at, at most.
    instead_of : int or None
        The turn of the conversation that this question is asked in the place of.
    """

    text: str
    mode: Mode
    images: tuple[Image, ...]
    look_at: LookAt
    model: ModelChoice
    target: Labels | None = None
    replace: bool = False
    ask_overlap: bool = False
    split: bool = False
    track: TrackOptions | None = None
    regions: RegionChoice | None = None
    again_for: int | None = None
    movie: int | None = None
    frames: int = 0
    instead_of: int | None = None

    @property
    def about_regions(self) -> bool:
        """Whether regions are asked about, and not the image."""
        if self.mode == "describe":
            return True
        return self.mode == "ask" and (mentions(self.text) or regions_counted(self.text) > 0)

    @property
    def lines(self) -> list[str]:
        """What was typed, line by line, without blank ones."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]
