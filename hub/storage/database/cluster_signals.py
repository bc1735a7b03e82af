"""Signals across processes: a commit in one wakes those who wait in another (LISTEN and NOTIFY).

Waking is told after the commit and on a connection of its own, many commits at once: a NOTIFY
inside every transaction would have all commits of the server stand in one line. What is lost with
a process that dies in between is found by those who look at their queue every second anyway.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg

from hub.clock import new_id
from hub.storage.database.base import Signals

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger(__name__)

CHANNEL = "serial_hub"
LISTEN_SECONDS = 0.5  # how soon a listener notices that it is to end
RECONNECT_SECONDS = 1.0


class ClusterSignals(Signals):
    """Signals that also reach the other processes on the same PostgreSQL database."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._own_name = new_id()
        self._topics: set[str] = set()  # woken here, not yet told to the others
        self._heard_of: set[str] = set()  # every topic that somebody here has waited for
        self._changed = threading.Condition()
        self._closed = False
        self._hears = False  # other processes, just now
        self._threads: dict[str, threading.Thread] = {}

    @contextmanager
    def listen(self, *topics: str) -> "Iterator[asyncio.Event]":
        """Give an event that is set after each commit, here or elsewhere, that woke a topic."""
        self._heard_of.update(topics)
        self._begin("listener", self._listen)
        with super().listen(*topics) as event:
            yield event

    def count(self, topic: str) -> int | None:
        """Return how often a topic was woken, here or elsewhere; None while others are not heard.

        The first call begins to listen.
        """
        if topic not in self._heard_of:
            self._heard_of.add(topic)
            self._begin("listener", self._listen)
        return super().count(topic) if self._hears else None

    def send(self, topics: Iterable[str]) -> None:
        """Wake those who wait here at once, and the other processes soon."""
        woken = set(topics)
        if not woken:
            return
        super().send(woken)
        with self._changed:
            self._topics |= woken
            self._changed.notify()
        self._begin("teller", self._tell)

    def close(self) -> None:
        """Tell what is still to be told, and end both threads."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        for thread in tuple(self._threads.values()):
            thread.join()

    def _begin(self, name: str, loop: Callable[[], None]) -> None:
        if name in self._threads:
            return
        with self._changed:
            if name in self._threads or self._closed:
                return
            thread = threading.Thread(target=loop, name=name, daemon=True)
            self._threads[name] = thread
        thread.start()

    def _tell(self) -> None:
        connection: psycopg.Connection[tuple[str, ...]] | None = None
        while (topics := self._next()) is not None:
            try:
                if connection is None:
                    connection = psycopg.connect(self._url, autocommit=True)
                text = " ".join([self._own_name, *sorted(topics)])
                connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, text])
            except psycopg.OperationalError as error:
                logger.warning("other processes could not be woken: %s", error)
                _close(connection)
                connection = None
        _close(connection)

    def _next(self) -> set[str] | None:
        with self._changed:
            while not self._topics and not self._closed:
                self._changed.wait()
            topics, self._topics = self._topics, set()
        return topics or None

    def _listen(self) -> None:
        connection: psycopg.Connection[tuple[str, ...]] | None = None
        was_deaf = False
        while not self._closed:
            try:
                if connection is None:
                    connection = psycopg.connect(self._url, autocommit=True)
                    connection.execute(f"LISTEN {CHANNEL}".encode())
                    if was_deaf:
                        super().send(self._heard_of.copy())  # it may have missed something
                    self._hears = True
                for notice in connection.notifies(timeout=LISTEN_SECONDS):
                    self._heard(notice.payload)
            except psycopg.OperationalError as error:
                self._hears = False
                _close(connection)
                connection, was_deaf = None, True
                with self._changed:
                    if not self._closed:
                        logger.warning("signals of other processes are not heard: %s", error)
                        self._changed.wait(RECONNECT_SECONDS)
        _close(connection)

    def _heard(self, payload: str) -> None:
        origin, *topics = payload.split(" ")
        if origin != self._own_name:
            super().send(topics)


def _close(connection: "psycopg.Connection[tuple[str, ...]] | None") -> None:
    if connection is not None:
        with suppress(psycopg.Error):
            connection.close()
