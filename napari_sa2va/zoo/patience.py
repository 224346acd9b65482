"""How often, and after how long, a request is tried again."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import httpx2

from napari_sa2va.errors import Cancelled, Sa2VAError
from napari_sa2va.zoo.download_errors import explained, passing, wished_wait

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG: Final = logging.getLogger(__name__)
# Seconds before each further attempt.
PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 8.0)
# A server that asks for more is not waited for.
LONGEST_WAIT: Final = 300.0
# So often a waiting download looks whether it was cancelled, in seconds.
_LOOK: Final = 0.1


class Patience:
    """Counts failures of one download, waits after each, and gives up in time.

    Parameters
    ----------
    what : str
        The checkpoint, for messages.
    cancelled : callable, optional
        Asked now and then; true ends the download.
    say : callable, optional
        Told why nothing happens while it waits.
    """

    def __init__(
        self,
        what: str,
        cancelled: Callable[[], bool] | None = None,
        say: Callable[[str], object] | None = None,
    ) -> None:
        self.what = what
        self._cancelled = cancelled
        self._say = say
        self._failures = 0
        self._connected = False

    def look(self) -> None:
        """Raise `Cancelled` if the user wants no more."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled(
                f"The download of {self.what} was cancelled. What has arrived is kept: it goes on "
                "from there the next time."
            )

    def progressed(self) -> None:
        """Forget earlier failures: something came through."""
        self._failures = 0
        self._connected = True

    def after(self, error: Exception) -> None:
        """Wait before the next attempt.

        Raises
        ------
        DownloadError
            When another attempt would be no use, or was one too many.
        Cancelled
        """
        if isinstance(error, Sa2VAError):
            raise error
        self.look()
        wish = wished_wait(error)
        # Without a network the first attempts fail, and nobody wants to wait to be told so.
        unplugged = isinstance(error, httpx2.ConnectError) and not self._connected
        most = 1 if unplugged else len(PAUSES)
        if not passing(error) or self._failures >= most or (wish or 0.0) > LONGEST_WAIT:
            raise explained(self.what, error) from error
        pause = PAUSES[self._failures] if wish is None else wish
        self._failures += 1
        _LOG.info("%s: %r; again in %.0f s", self.what, error, pause)
        if self._say is not None and pause >= 1:
            reason = "the Hub asks to wait" if wish is not None else "the connection broke"
            self._say(f"{self.what}: {reason}, again in {pause:.0f} s")
        end = time.monotonic() + pause
        while (left := end - time.monotonic()) > 0:
            self.look()
            time.sleep(min(_LOOK, left))
