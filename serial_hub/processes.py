"""Several processes that do the same: one that ends is replaced, and all end when they are told to.

An interpreter uses one core. What serves much is therefore run once for each, on one port that the
kernel shares out among them by connection (`shared_socket`).
"""

import logging
import multiprocessing
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

logger = logging.getLogger(__name__)

YOUNG_SECONDS = 5.0
YOUNG_DEATHS_MAX = 3  # of one place in a row: it would never start
PAUSE_SECONDS = 0.5  # before somebody takes the place of one that ended


def keep(main: str, argument: str, count: int) -> None:
    """Run a function in `count` processes until SIGTERM or SIGINT; then have all of them end.

    The function is named, ``package.module:function``: each process imports it anew. Leaves by
    SystemExit when a place can not be filled: its processes end as soon as they began.
    """
    told = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: told.set())
    places = [_Place(main, argument) for _ in range(count)]
    try:
        while not told.is_set():
            wait([place.process.sentinel for place in places], timeout=PAUSE_SECONDS)
            for place in places:
                if not told.is_set() and not place.process.is_alive():
                    place.fill_again()
    finally:
        for place in places:
            place.process.terminate()
        for place in places:
            place.process.join()


class _Place:
    """One of the processes, and who takes its place when it ends."""

    def __init__(self, main: str, argument: str) -> None:
        self._main, self._argument = main, argument
        self._young_deaths = 0
        self._fill()

    def _fill(self) -> None:
        self._began = time.monotonic()
        self.process: SpawnProcess = multiprocessing.get_context("spawn").Process(
            target=_run, args=(self._main, self._argument)
        )
        self.process.start()

    def fill_again(self) -> None:
        """Start another process; leave by SystemExit where that is in vain."""
        young = time.monotonic() - self._began < YOUNG_SECONDS
        self._young_deaths = self._young_deaths + 1 if young else 0
        logger.error("process %s ended: %s", self.process.pid, self.process.exitcode)
        if self._young_deaths >= YOUNG_DEATHS_MAX:
            sys.exit("The hub could not start: see above.")
        time.sleep(PAUSE_SECONDS)
        self._fill()


def _run(main: str, argument: str) -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    pkgutil.resolve_name(main)(argument)


def _end_with_the_parent() -> None:
    """Stop when the parent is no more, however it ended: nobody else would tell us to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def shared_socket(host: str, port: int) -> socket.socket:
    """Bind an address that other processes of this user may bind as well; nothing listens yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm only where the protocol is named: without it an answer of
    # two packets waits some 40 ms for the confirmation of the first.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
