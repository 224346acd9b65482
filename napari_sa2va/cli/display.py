"""What people see while a command works: progress on stderr, results on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from napari_sa2va.engine import (
    FrameDone,
    Looking,
    ModelLoading,
    QuestionDone,
    QuestionStarted,
    TrackStarted,
)

if TYPE_CHECKING:
    from types import TracebackType

    from napari_sa2va.engine import Event

# A plane can take a minute: speeds are told from so long ago.
_SPEED_SECONDS: Final = 600


class _LeftColumn(ProgressColumn):
    """Time that is left, where frames are counted; it says nothing of other tasks."""

    def __init__(self) -> None:
        super().__init__()
        self._left = TimeRemainingColumn(compact=True)

    def render(self, task: Task) -> Text:
        """Return what stands in the task's line."""
        return Text.assemble(self._left.render(task), " left") if task.fields["timed"] else Text()


class Display:
    """A progress bar for people, and lines that stand above it.

    Parameters
    ----------
    questions : int
        How many there will be in all, over all images.
    quiet : bool
        Whether to keep to errors.
    results : bool
        Whether `say` says anything, unless quiet.
    """

    def __init__(self, questions: int, *, quiet: bool = False, results: bool = True) -> None:
        console = Console(stderr=True)
        self._quiet = quiet
        self._results = results and not quiet
        # A bar is never drawn into a file or pipe.
        self._bar = not quiet and console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            _LeftColumn(),
            console=console,
            speed_estimate_period=_SPEED_SECONDS,
            transient=True,
            # rich would send what is printed to stdout to the bar's console, which is stderr.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("Starting", total=questions, timed=False)
        self._loading = self._progress.add_task("Loading", total=1.0, visible=False, timed=False)
        self._image = ""

    def __enter__(self) -> Self:
        if self._bar:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_bar()

    def stop_bar(self) -> None:
        """Take the bar away for good."""
        if self._bar:  # rich prints an empty line on stopping what is not started
            self._progress.stop()
        self._bar = False

    def image(self, name: str) -> None:
        """Show which image is being worked on."""
        self._image = name
        self._progress.update(self._task, description=name)

    def event(self, event: Event) -> None:
        """Show what happens."""
        self._progress.update(self._loading, visible=isinstance(event, ModelLoading))
        match event:
            case ModelLoading(message=message, fraction=fraction):
                self._progress.update(self._loading, description=message, completed=fraction or 0)
            case Looking():
                self._progress.update(self._task, description=f"{self._image}: looking")
            case QuestionStarted(text=text):
                self._progress.update(self._task, description=f"{self._image}: {text}")
            case QuestionDone():
                self._progress.advance(self._task)
            case TrackStarted(done=done, total=total):
                self._progress.reset(self._task, total=total, completed=done, timed=True)
            case FrameDone(done=done, total=total):
                self._progress.update(
                    self._task,
                    description=f"{self._image}: {done} of {total} planes",
                    completed=done,
                )

    def say(self, text: str, end: str = "\n") -> None:
        """Print a result on stdout."""
        if self._results:
            self._above_bar(text + end, to_stderr=False)

    def warn(self, text: str) -> None:
        """Print on stderr what the user should know of."""
        if not self._quiet:
            self._above_bar(text + "\n", to_stderr=True)

    def complain(self, text: str) -> None:
        """Print what went wrong on stderr."""
        self._above_bar(text + "\n", to_stderr=True)

    def _above_bar(self, text: str, *, to_stderr: bool) -> None:
        if self._bar:
            self._progress.stop()
        typer.echo(text, nl=False, err=to_stderr)
        if self._bar:
            self._progress.start()
