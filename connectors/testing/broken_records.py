"""Broken records: the answers of a simulator, replayed with one field of one record broken.

A conformance case reads some records, and records the answers. Then each field of one record is
broken in turn, and the answers are given again: nothing happens in the simulator meanwhile.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

Path = tuple[str | int, ...]
MISSING = object()
NOT_OF_A_RECORD = frozenset({"pageInfo", "cursor", "__typename"})
UNSTORABLE = "odd\0text"
BEYOND = 10**30


@dataclass(frozen=True, slots=True)
class Break:
    """One change of a record: the path of a field, and what stands there instead."""

    path: Path
    value: Any

    @property
    def name(self) -> str:
        """Return the path as connectors name fields: ``line_items[0].quantity``."""
        return path_name(self.path)

    def __str__(self) -> str:
        """Name the field, and what was done to it."""
        if self.value is MISSING:
            return f"{self.name} left out"
        return f"{self.name} as {json.dumps(self.value)[:60]}"

    def apply(self, record: Any) -> Any:
        """Return a copy of a record with this field broken."""
        broken = copy.deepcopy(record)
        *way, last = self.path
        holder = broken
        for step in way:
            holder = holder[step]
        if self.value is MISSING:
            del holder[last]
        else:
            holder[last] = self.value
        return broken


def path_name(path: Path) -> str:
    """Write a path as connectors do."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def breaks_of(record: Any, path: Path = ()) -> Iterator[Break]:
    """Yield every way to break a record: each field null, missing and of a wrong type."""
    if isinstance(record, dict):
        for name, value in record.items():
            if name in NOT_OF_A_RECORD:
                continue
            here = (*path, name)
            yield Break(here, MISSING)
            yield from (Break(here, wrong) for wrong in _wrong_values(value))
            yield from breaks_of(value, here)
    elif isinstance(record, list):
        for index, value in enumerate(record[:2]):
            yield from breaks_of(value, (*path, index))


def _wrong_values(value: Any) -> Sequence[Any]:
    if isinstance(value, bool):
        return (None,)
    if isinstance(value, str):
        return (None, ["odd"], UNSTORABLE)
    if isinstance(value, int | float):
        return (None, "many", BEYOND)
    if isinstance(value, list):
        as_php = {str(2 * index + 1): each for index, each in enumerate(value)}
        return (None, "odd", as_php, [*value, None])
    return (None, "odd", ["odd"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in recorded answers: number of the answer, and the way to it."""

    answer: int
    way: Path
    record: Mapping[str, Any]


class Recorded:
    """The answers to the calls of one reading, in their order."""

    def __init__(self) -> None:
        self.calls: list[tuple[httpx.Request, httpx.Response]] = []

    def add(self, request: httpx.Request, response: httpx.Response) -> None:
        """Keep an answer."""
        self.calls.append((request, response))

    def place_of(self, refs: Sequence[str], victim: str) -> Place | None:
        """Find the record of a reference in a list that holds the records of all of `refs`."""
        for number, (_, response) in enumerate(self.calls):
            try:
                answer = json.loads(response.content)
            except ValueError:
                continue
            for way, records in _lists(answer):
                found = _by_ref(records, refs)
                if found is not None:
                    index, inner = found[victim]
                    return Place(number, (*way, index, *inner), _at(records[index], inner))
        return None

    def place_alone(self, victim: str) -> Place | None:
        """Find the outermost object that holds a reference in a field of its own."""
        for number, (_, response) in enumerate(self.calls):
            try:
                answer = json.loads(response.content)
            except ValueError:
                continue
            for way, record in _objects(answer):
                held = (str(each) for each in record.values() if isinstance(each, str | int))
                if victim in held:
                    return Place(number, way, record)
        return None

    def replay(self, place: Place, broken: Any, *, alone: bool = False) -> "Replay":
        """Return the answers with one record in place of another.

        `alone` leaves all other calls to the simulator.
        """
        answers = [response.content for _, response in self.calls]
        answer = json.loads(answers[place.answer])
        holder: Any = {"": answer}
        *way, last = ("", *place.way)
        for step in way:
            holder = holder[step]
        holder[last] = broken
        answer = broken if not place.way else answer
        answers[place.answer] = json.dumps(answer).encode()
        if alone:
            return Replay([self.calls[place.answer]], [answers[place.answer]], exact=True)
        return Replay(self.calls, answers)


class Replay:
    """Answers calls as they were answered before: each by its own answer, in their order."""

    def __init__(
        self,
        calls: Sequence[tuple[httpx.Request, httpx.Response]],
        answers: Sequence[bytes],
        *,
        exact: bool = False,
    ) -> None:
        self._exact = exact
        kept = {"content-length", "content-encoding", "transfer-encoding"}
        self._answers: list[tuple[httpx.Request, httpx.Response]] = []
        for (request, response), content in zip(calls, answers, strict=True):
            headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in kept]
            answer = httpx.Response(response.status_code, headers=headers, content=content)
            self._answers.append((request, answer))
        self._given: set[int] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        """Return the answer to a call; None to one that was not made before.

        The very call comes before one to the same path, one that was not answered yet before one
        that was.
        """
        same = [at for at, (made, _) in enumerate(self._answers) if _exact(made) == _exact(request)]
        alike = [at for at, (made, _) in enumerate(self._answers) if _path(made) == _path(request)]
        alike = [] if self._exact else alike
        fresh = [at for at in (*same, *alike) if at not in self._given]
        known = [*fresh, *same[-1:], *alike[-1:]]
        if not known:
            return None
        self._given.add(known[0])
        answer = self._answers[known[0]][1]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def _path(request: httpx.Request) -> tuple[str, str]:
    return request.method, request.url.path


def _exact(request: httpx.Request) -> tuple[str, str, tuple[tuple[str, str], ...], bytes]:
    """Return what makes two calls the same one; a signature in the query is made anew each time."""
    asked = request.url.params.multi_items()
    kept = tuple((name, value) for name, value in asked if not name.startswith("oauth_"))
    return request.method, request.url.path, kept, request.content


def _lists(value: Any, way: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    """Yield the lists of objects in an answer, the outer ones first."""
    if isinstance(value, list):
        if value and all(isinstance(each, dict) for each in value):
            yield way, value
        for index, each in enumerate(value):
            yield from _lists(each, (*way, index))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _lists(each, (*way, name))


def _objects(value: Any, way: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the objects in an answer, the outer ones first."""
    if isinstance(value, dict):
        yield way, value
        for name, each in value.items():
            yield from _objects(each, (*way, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _objects(each, (*way, index))


def _by_ref(records: Sequence[Any], refs: Sequence[str]) -> dict[str, tuple[int, Path]] | None:
    """Find the field that holds the references of some records; where the record of each is."""
    ways: list[Path] = [(name,) for name, each in records[0].items() if isinstance(each, dict)]
    for way in ((), *ways):
        nodes = [_at(each, way) for each in records]
        for name in nodes[0]:
            held = {
                str(each.get(name)): i for i, each in enumerate(nodes) if isinstance(each, dict)
            }
            if all(ref in held for ref in refs):
                inner = way if way == ("node",) else ()
                return {ref: (held[ref], inner) for ref in refs}
    return None


def _at(record: Any, way: Path) -> Any:
    for step in way:
        record = record.get(step) if isinstance(record, dict) else None
    return record
