"""A thread that lets label array and table follow the log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from napari_sa2va.annotation.session.errors import CannotRecord

if TYPE_CHECKING:
    from napari_sa2va.annotation.session.about import About
    from napari_sa2va.annotation.session.folder import Session

_PATIENCE: Final = 30.0


class Folding:
    """Folds a session some seconds after something was added to it, and once more at the end.

    Parameters
    ----------
    session : Session
        Closed by `close`.
    seconds : float
        How long entries gather.

    Attributes
    ----------
    about : About or None
        What image and layer are called now; to be kept up to date by the thread that may ask them.
    error : CannotRecord or None
        Why the last folding failed; it is tried again.
    """

    def __init__(self, session: Session, seconds: float) -> None:
        self.about: About | None = None
        self.error: CannotRecord | None = None
        self._session = session
        self._left = False
        self._seconds = seconds
        self._news = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="napari-sa2va session", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Say that something was added."""
        self._news.set()

    def close(self, *, wait: bool) -> None:
        """Fold for the last time, then let go of the session.

        Parameters
        ----------
        wait : bool
            Return when that is done, or when it takes very long: the log has everything.
        """
        self._end.set()
        self._news.set()
        if wait:
            self.join()

    @property
    def at_work(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end that `close` began."""
        self._thread.join(_PATIENCE)

    def let_go(self) -> None:
        """End without a last folding, and leave the session to somebody else."""
        self._left = True
        self._end.set()
        self._news.set()
        self.join()

    def _run(self) -> None:
        while self._news.wait():
            self._end.wait(self._seconds)
            self._news.clear()
            if self._left:
                return
            try:
                if self._end.is_set():
                    self._session.close(self.about)
                    return
                self._session.fold(self.about)
                self.error = None
            except CannotRecord as error:
                self.error = error
                if self._end.is_set():
                    return
                self._news.set()
            except RuntimeError:
                if threading.main_thread().is_alive():
                    raise
                return  # Python is ending and starts no threads for zarr: the log has everything
