"""What is tried again on PostgreSQL: what lost a race, and, for a while, what lost its server."""

import logging
import time
from collections.abc import Callable

import psycopg

from hub.storage.database.base import DatabaseAway, Result

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 10  # of work that loses races over locks
AWAY_SECONDS_MAX = 10.0  # from when the server was first missed: a restart takes less
RECONNECT_SECONDS_MAX = 1.0  # between two attempts to reach it
RACES = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,
    psycopg.errors.LockNotAvailable,
)


class Patience:
    """How long work waits for the server of one database.

    An outage begins once for all: what comes later does not wait as long again, so that a queue
    that grew meanwhile is answered at once.
    """

    def __init__(self) -> None:
        self._away_since: float | None = None

    def run(self, attempt: Callable[[], Result]) -> Result:
        """Try again what lost a race, at once, and what lost its server, with growing pauses."""
        number = 0
        while True:
            number += 1
            try:
                result = attempt()
            except RACES:
                if number >= ATTEMPTS_MAX:
                    raise
                time.sleep(0.002 * number)
            except psycopg.OperationalError as error:
                if not went_away(error):
                    raise
                self._missed(error)
                time.sleep(min(RECONNECT_SECONDS_MAX, 0.05 * 2 ** min(number, 10)))
            except BaseException:
                self._away_since = None  # whatever this says, the server said it, or was not asked
                raise
            else:
                self._away_since = None
                return result

    def _missed(self, error: psycopg.OperationalError) -> None:
        """Note that the server is away; raise DatabaseAway if it has been for too long."""
        now, since = time.monotonic(), self._away_since
        if since is None:
            self._away_since = now
            logger.warning("the database is away: %s", error)
        elif now - since > AWAY_SECONDS_MAX:
            raise DatabaseAway("the database can not be reached") from error


def went_away(error: psycopg.OperationalError) -> bool:
    """Say whether it was the server, or the way to it, that failed, and not the statement."""
    # 57P: shut down or starting up; 08: the connection; no code: libpq itself.
    return error.sqlstate is None or error.sqlstate[:2] in {"08"} or error.sqlstate[:3] == "57P"
