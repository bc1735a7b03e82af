"""Virtual time: an event loop that jumps to the next timer, and ids that follow from the seed.

Nothing waits, nothing is read from the machine's clock: the same seed gives the same order of
everything, microsecond by microsecond.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import uuid_utils

from hub.clock import micros
from jobs import intake, recovery, relay

BEGINNING = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
# The loops look around less often than in production: one schedule has hundreds of idle seconds.
IDLE_SECONDS = 7.0
CHANNELS_SECONDS = 30.0

# Whose process a task belongs to: the tasks that it starts belong there too.
PROCESS: ContextVar[Any] = ContextVar("PROCESS", default=None)


class NothingLeft(RuntimeError):
    """Everybody waits and no timer is set: the simulation hangs."""


class _Jump(selectors.BaseSelector):
    """A selector that lets virtual time pass instead of waiting."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingLeft("everybody waits for ever")
        self.seconds += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; tasks are noted with the process that started them."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self.set_task_factory(_owned)

    def time(self) -> float:
        return self._jump.seconds

    def present(self) -> datetime:
        """Return the virtual present."""
        return BEGINNING + timedelta(microseconds=round(self._jump.seconds * 1e6))

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_soon(callback, *args, context=context)  # there are no threads here


def _owned(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
    process = PROCESS.get()
    if process is not None:
        process.own(task)
    return task


@contextmanager
def determined(seed: int, present: Callable[[], datetime]) -> Iterator[None]:
    """Let ids and jitter follow from the seed while the block lasts."""
    ids, jitter = random.Random(f"{seed}:ids"), random.Random(f"{seed}:jitter")

    def uuid7() -> str:
        stamp = f"{micros(present()) // 1_000:012x}"
        tail = f"{ids.getrandbits(80):020x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[6:18]}"

    changes: list[tuple[Any, str, Any]] = [
        (uuid_utils, "uuid7", uuid7),
        (recovery, "_random", jitter),
        (relay, "IDLE_SECONDS", IDLE_SECONDS),
        (relay, "CHANNELS_SECONDS", CHANNELS_SECONDS),
        (intake, "IDLE_SECONDS", IDLE_SECONDS),
    ]
    kept = [(room, name, getattr(room, name)) for room, name, _ in changes]
    try:
        for room, name, value in changes:
            setattr(room, name, value)
        yield
    finally:
        for room, name, value in kept:
            setattr(room, name, value)
