"""How long the event loop is held while the application answers: requests at their worst size.

The application is called as a server calls it, with a body that was encoded before, so that only
its own work counts. Every round of the loop is timed: the longest one is how long everybody else
waits. Of several attempts the best counts.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

LEAVES: dict[str, Any] = {
    "Int": 1, "Amount": 1, "Money": 1, "Float": 1.5, "Boolean": True, "Date": "2026-01-01",
    "Decimal": "1.10", "DateTime": "2026-01-01T00:00:00Z", "JSON": {},
}  # fmt: skip
PAGE = {"first": 200, "limit": 200, "last": 200}
DEPTH_MAX = 3


@dataclass
class Longest:
    """The longest round of the loop, by the processor and by the wall, in seconds.

    A round runs everything that is ready before the loop looks at sockets again. The processor's
    time is that of the loop's own thread: it does not depend on what else the machine does.
    """

    cpu: float = 0.0
    wall: float = 0.0


YARDSTICK_SECONDS = 0.0075
"""What `slowdown` does takes so long where 50 ms are meant: on two cores of 2024 with nothing else
to do."""


def slowdown() -> float:
    """Return how much slower this processor is just now than where the limit is meant; 1 at least.

    Other processes take a core's caches and its clock, so that the same work takes more of its
    time: the limit is of the work, not of what runs beside it.
    """
    began = time.thread_time()
    assert len({number: str(number) for number in range(60_000)}) == 60_000
    return max(1.0, (time.thread_time() - began) / YARDSTICK_SECONDS)


@contextmanager
def timed_rounds() -> Iterator[Longest]:
    """Time every round of the loop that runs in this thread."""
    longest = Longest()
    original = asyncio.base_events.BaseEventLoop._run_once

    def run_once(loop: asyncio.BaseEventLoop) -> None:
        ready = bool(loop._ready)
        wall, cpu = time.perf_counter(), time.thread_time()
        original(loop)
        longest.cpu = max(longest.cpu, time.thread_time() - cpu)
        if ready:  # else it waited
            longest.wall = max(longest.wall, time.perf_counter() - wall)

    asyncio.base_events.BaseEventLoop._run_once = run_once
    try:
        yield longest
    finally:
        asyncio.base_events.BaseEventLoop._run_once = original


@dataclass
class Filler:
    """Makes arguments of a size: each list has `items`, each text `chars`."""

    items: int
    chars: int = 12
    made: int = field(default=0)

    def value(self, name: str, type_: Any, depth: int = 0) -> Any:
        """Make a value of an input type."""
        if isinstance(type_, GraphQLNonNull):
            return self.value(name, type_.of_type, depth)
        if isinstance(type_, GraphQLList):
            few = self.items if depth == 0 else 1
            return [self.value(name, type_.of_type, depth + 1) for _ in range(few)]
        if isinstance(type_, GraphQLEnumType):
            return next(iter(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return {
                key: self.value(key, each.type, depth + 1)
                for key, each in type_.fields.items()
                if isinstance(each.type, GraphQLNonNull)
            }
        assert isinstance(type_, GraphQLScalarType)
        if name in PAGE:
            return PAGE[name]
        if type_.name in LEAVES:
            return LEAVES[type_.name]
        self.made += 1
        return f"S{self.made}".ljust(self.chars, "x")

    def has_list(self, type_: Any) -> bool:
        """Return whether an input of a type holds a list that can be long."""
        if isinstance(type_, GraphQLNonNull):
            return self.has_list(type_.of_type)
        return isinstance(type_, GraphQLList)


def document(kind: str, name: str, asked: GraphQLField, filler: Filler) -> tuple[str, Any]:
    """Write the document and the variables that ask a root field at a size."""
    given = {
        key: filler.value(key, each.type)
        for key, each in asked.args.items()
        if isinstance(each.type, GraphQLNonNull) or key in PAGE or filler.has_list(each.type)
    }
    declared = ", ".join(f"${key}: {asked.args[key].type}" for key in given)
    passed = ", ".join(f"{key}: ${key}" for key in given)
    head = f"{kind}({declared})" if given else kind
    call = f"{name}({passed})" if given else name
    return f"{head} {{ {call} {selection(asked.type, 0)} }}", given


def selection(type_: Any, depth: int) -> str:
    """Choose every plain field, and those of objects some levels deep."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLUnionType):
        members = " ".join(
            f"... on {each.name} {selection(each, depth)}"
            for each in named.types
            if "Problem" not in {one.name for one in each.interfaces}
        )
        return f"{{ __typename ... on Problem {{ code message }} {members} }}"
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    chosen = []
    for key, each in named.fields.items():
        needed = any(isinstance(one.type, GraphQLNonNull) for one in each.args.values())
        if needed:
            continue
        if is_leaf_type(get_named_type(each.type)):
            chosen.append(key)
        elif depth < DEPTH_MAX and key in ("edges", "node", "nodes", "results", "problem", "unit"):
            chosen.append(f"{key} {selection(each.type, depth + 1)}")
    return f"{{ {' '.join(chosen) or '__typename'} }}"


async def ask(app: Any, body: bytes, secret: str, path: str = "/graphql") -> tuple[int, bytes]:
    """Post a body to the application as a server does; return the status and the answer."""
    parts, sent = [body], bytearray()
    status = 0

    async def receive() -> Any:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            sent.extend(message.get("body", b""))

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("hub", 80),
        "headers": [
            (b"host", b"hub"), (b"content-type", b"application/json"),
            (b"accept-encoding", b"br"), (b"authorization", f"Bearer {secret}".encode()),
            (b"content-length", str(len(body)).encode()),
        ],
    }  # fmt: skip
    await app(scope, receive, send)
    return status, bytes(sent)
