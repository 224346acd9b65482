"""``napari-sa2va …``: the dock's work without a window."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper

from napari_sa2va import __version__

__all__ = ["main"]


def main() -> None:
    """Run the command line, and leave with its exit code."""
    from napari_sa2va.cli.app import app
    from napari_sa2va.io.log_file import start_log

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A Windows pipe may have a code page without the signs that we print.
            stream.reconfigure(errors="replace")
    start_log()
    logging.getLogger(__name__).info("napari-sa2va %s: %s", __version__, sys.argv[1:])
    app()
