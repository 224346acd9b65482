"""``napari-sa2va doctor``: what this machine can run, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.cli.exit_codes import ExitCode
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.log_file import last_lines, log_path
from napari_sa2va.zoo import make_report
from napari_sa2va.zoo.report import without_home

if TYPE_CHECKING:
    from pathlib import Path

_LOG_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, for people and for machines."""

    text: str
    facts: dict[str, Any]
    code: ExitCode


def examine(report_file: Path | None = None) -> Examination:
    """Look at this machine; uses no network.

    Parameters
    ----------
    report_file : Path, optional
        Where to write everything, the end of the log included, for a bug report. The home folder,
        whose name is a person's, is written as ``~``.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    report = make_report()
    text = f"{report.as_text()}\n\n{without_home(f'Log file: {log_path()}')}"
    if report_file is not None:
        log = "\n".join(last_lines(_LOG_LINES)) or "(empty)"
        with replacing(report_file) as temporary:
            temporary.write_text(
                without_home(f"{text}\n\nThe log's last lines\n{log}\n"), encoding="utf-8"
            )
        text += f"\nThe report is in {report_file}"
    damaged = any(status.supported and status.problem for status in report.checkpoints)
    code = ExitCode.FAILED if report.machine.problems or damaged else ExitCode.OK
    return Examination(text, json.loads(report.as_json()), code)
