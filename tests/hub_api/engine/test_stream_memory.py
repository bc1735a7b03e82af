"""What an event of a subscription has used is free again once it was sent."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import strawberry
from graphql import parse, subscribe

from hub_api.engine.documents import core_schema
from hub_api.engine.tolerance import TolerantExecutor

EVENTS = 50


@strawberry.type
class Inner:
    value: int


@strawberry.type
class Event:
    @strawberry.field
    def inner(self) -> list[Inner]:
        return [Inner(value=1)]


@strawberry.type
class Query:
    one: int = 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def events(self) -> AsyncGenerator[Event, None]:
        for _ in range(EVENTS):
            yield Event()


SCHEMA = strawberry.Schema(
    Query, subscription=Subscription, execution_context_class=TolerantExecutor
)


def test_nothing_of_an_event_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_stream(monkeypatch))


async def _stream(monkeypatch: pytest.MonkeyPatch) -> None:
    executors: list[weakref.ref[Any]] = []
    kept: list[int] = []
    build = TolerantExecutor.build_per_event_executor

    def watched(self: Any, payload: Any) -> Any:
        made = build(self, payload)
        executors.append(weakref.ref(made))
        kept.append(len(self._relevant_sub_fields))
        return made

    monkeypatch.setattr(TolerantExecutor, "build_per_event_executor", watched)
    stream: Any = await subscribe(
        core_schema(SCHEMA),
        parse("subscription { events { inner { value } } }"),
        executor_class=TolerantExecutor,
    )
    async for result in stream:
        assert result.data == {"events": {"inner": [{"value": 1}]}}
    gc.collect()
    assert len(executors) == EVENTS
    assert sum(executor() is not None for executor in executors) <= 1
    assert kept[-1] == kept[1], "the memory of fields grows with events"
