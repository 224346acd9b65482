"""What the command's exit code means: scripts rely on these numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from napari_sa2va.errors import (
    Cancelled,
    CheckpointError,
    InvalidInput,
    NotEnoughMemory,
    Sa2VAError,
)


class ExitCode(IntEnum):
    """Exit codes; 2, a wrong command line, is given by typer."""

    OK = 0
    NOT_FOUND = 1
    USAGE = 2
    BAD_INPUT = 3
    CHECKPOINT = 4
    MEMORY = 5
    FAILED = 6
    CANCELLED = 130  # as shells report a program ended by Ctrl+C


_OF_ERROR: Final[dict[type[Sa2VAError], ExitCode]] = {
    InvalidInput: ExitCode.BAD_INPUT,
    CheckpointError: ExitCode.CHECKPOINT,
    NotEnoughMemory: ExitCode.MEMORY,
    Cancelled: ExitCode.CANCELLED,
}

# Of several images' codes the command returns the first of these that occurs.
_GRAVEST_FIRST: Final = (
    ExitCode.CANCELLED,
    ExitCode.CHECKPOINT,
    ExitCode.MEMORY,
    ExitCode.FAILED,
    ExitCode.BAD_INPUT,
    ExitCode.OK,
    ExitCode.NOT_FOUND,
)


_STATUS: Final = {
    ExitCode.OK: "ok",
    ExitCode.NOT_FOUND: "not found",
    ExitCode.CANCELLED: "cancelled",
}


def status_of(code: ExitCode) -> str:
    """Return what the JSON document says became of an image or a stack."""
    return _STATUS.get(code, "failed")


def code_of(error: Sa2VAError) -> ExitCode:
    """Return the exit code that stands for an error."""
    for kind, code in _OF_ERROR.items():
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED


def unexpected(error: Exception) -> str:
    """Say that an error is not the user's, and where its details are."""
    return (
        f"an unexpected error: {type(error).__name__}: {error}. The log file has the details: "
        "please report it with the file that `napari-sa2va doctor --report FILE` writes."
    )


def overall(codes: list[ExitCode]) -> ExitCode:
    """Return the code of a command from those of its images: the gravest.

    Something found in one image outweighs nothing found in another.
    """
    return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.OK)
