"""Waiting that is bounded, for what mostly need not wait at all."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


async def within(work: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """Run a coroutine in this task; a time limit is set only where it has to wait.

    Raises TimeoutError, as `asyncio.timeout` does. To set a timer and to take it away costs more
    than a read that is answered at once.
    """
    try:
        awaited = work.send(None)
    except StopIteration as ended:
        result: Result = ended.value
        return result
    async with asyncio.timeout(seconds):
        later: Result = await _Begun(work, awaited)
        return later


class _Begun:
    """The rest of a coroutine that waits for something already."""

    def __init__(self, work: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._work, self._awaited = work, awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        awaited = self._awaited
        try:
            while True:
                try:
                    given = yield awaited
                except BaseException as error:
                    awaited = self._work.throw(error)
                else:
                    awaited = self._work.send(given)
        except StopIteration as ended:
            return ended.value
