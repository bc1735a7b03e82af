"""The head of an answer travels with its body, or alone where nothing follows at once."""

import asyncio
from typing import Any

from serial_hub.connection_limits import JoinedWrites


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def joined() -> tuple[Transport, Any]:
    transport = Transport()
    return transport, JoinedWrites(transport, asyncio.get_running_loop())  # type: ignore[arg-type]


async def _whole() -> None:
    transport, writes = joined()
    for part in (b"head ", b"body", b"more"):
        writes.write(part)
    await asyncio.sleep(0)
    assert transport.written == [b"head body", b"more"]


async def _stream() -> None:
    transport, writes = joined()
    writes.write(b"head")
    await asyncio.sleep(0)
    assert transport.written == [b"head"]
    writes.write(b"event")
    assert transport.written == [b"head", b"event"]


async def _closed() -> None:
    transport, writes = joined()
    writes.write(b"head")
    writes.close()
    await asyncio.sleep(0)
    assert transport.written == [b"head"]
    assert writes.is_closing()


def test_a_body_that_follows_at_once_goes_with_the_head() -> None:
    asyncio.run(_whole())


def test_the_head_of_a_stream_does_not_wait_for_its_first_event() -> None:
    asyncio.run(_stream())


def test_nothing_is_kept_back_when_the_connection_closes() -> None:
    asyncio.run(_closed())
