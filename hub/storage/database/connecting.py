"""How a PostgreSQL server is reached: how soon silence is noticed, and the wait for its start."""

import logging
import os
import time

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hub.storage.database.base import DatabaseAway

logger = logging.getLogger(__name__)

# Where packets just stop, TCP alone waits for a quarter of an hour, and a new connection for two
# minutes. With these a dead wire is noticed within 20 seconds, whether we speak or listen.
DEFAULTS = {
    "connect_timeout": "5",  # seconds
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds that what was sent may stay unconfirmed
}
START_POLL_SECONDS = 0.5


def watchful(url: str) -> str:
    """Add to a URL what the operator did not say about noticing a dead wire."""
    given = conninfo_to_dict(url)
    missing = {name: value for name, value in DEFAULTS.items() if name not in given}
    if "PGCONNECT_TIMEOUT" in os.environ:
        missing.pop("connect_timeout", None)
    return make_conninfo(url, **missing)


def await_server(url: str, seconds_max: float) -> None:
    """Return when the server answers; raise DatabaseAway when it did not in time."""
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            psycopg.connect(watchful(url)).close()
        except psycopg.OperationalError as error:
            if time.monotonic() >= deadline:
                raise DatabaseAway(f"the database can not be reached: {error}") from error
            logger.warning("waiting for the database: %s", error)
            time.sleep(START_POLL_SECONDS)
        else:
            return
