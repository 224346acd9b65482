"""Writers, each format in its own file: a failed write leaves the old file."""

from __future__ import annotations
