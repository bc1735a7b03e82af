"""Records: the entries of a remote's list, each read for itself.

A `RecordReader` wraps each entry in a `Record`, which is a dict that remembers the field read last.
So whatever goes wrong inside one entry, also in plain code that knows nothing of this module,
becomes an `UnreadableRecord` that names field and value, and the entries beside it are read.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from connectors.errors import NotFound
from connectors.toolkit.redaction import as_json, is_personal, redact
from connectors.toolkit.value_checks import ValueProblem, checked
from connectors.unreadable import Unreadable, UnreadableRecord

Item = TypeVar("Item")
MISREAD = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What plain code raises that meets another shape than it was written for."""

VALUE_CHARS_MAX = 200
RAW_CHARS_MAX = 8_000
MISSING = "missing"


class FieldError(ValueError):
    """A field holds something else than it must."""

    def __init__(self, path: str, value: Any, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.value = value
        self.reason = reason


@dataclass(slots=True)
class _LastRead:
    """The field of a record that was read last; shared by all its parts."""

    path: str = ""
    value: Any = None


class Record(dict[str, Any]):
    """A JSON object of a remote that remembers which of its fields was read last."""

    __slots__ = ("last", "path")

    def __init__(self, fields: dict[str, Any], path: str = "", last: _LastRead | None = None):
        self.path = path
        self.last = last if last is not None else _LastRead()
        super().__init__(
            {name: _wrapped(each, self.at(name), self.last) for name, each in fields.items()}
        )

    def at(self, name: object) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else str(name)

    def attach(self, name: str, value: Any) -> Any:
        """Add a part that was fetched by another call; return it as a part of this record."""
        part = _wrapped(value, self.at(name), self.last)
        self[name] = part
        return part

    def get(self, name: Any, default: Any = None) -> Any:
        """Return a field, or `default` where it is missing."""
        value = super().get(name, default)
        self.last.path, self.last.value = self.at(name), value
        return value

    def __getitem__(self, name: str) -> Any:
        """Return a field; raises KeyError where it is missing."""
        self.last.path, self.last.value = self.at(name), MISSING
        value = super().__getitem__(name)
        self.last.value = value
        return value


class Elements(list[Any]):
    """A JSON array of a record that remembers which of its elements was read last."""

    __slots__ = ("last", "path")

    def __init__(self, elements: Iterable[Any], path: str, last: _LastRead) -> None:
        self.path = path
        self.last = last
        super().__init__(
            _wrapped(each, f"{path}[{index}]", last) for index, each in enumerate(elements)
        )

    def __iter__(self) -> Iterator[Any]:
        """Yield the elements in order."""
        for index, each in enumerate(super().__iter__()):
            self.last.path, self.last.value = f"{self.path}[{index}]", each
            yield each

    def __getitem__(self, index: Any) -> Any:
        """Return an element, or a part of the list."""
        value = super().__getitem__(index)
        self.last.path, self.last.value = f"{self.path}[{index}]", value
        return value


def _wrapped(value: Any, path: str, last: _LastRead) -> Any:
    if isinstance(value, dict):
        # PHP writes a list whose keys have gaps as an object: its values are the list.
        if value and all(isinstance(key, str) and key.isdecimal() for key in value):
            return Elements(value.values(), path, last)
        return Record(value, path, last)
    return Elements(value, path, last) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """What was read of some records, in their order, and those that could not be read."""

    items: tuple[Item, ...]
    unreadable: tuple[UnreadableRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads records of one kind; `ref` is the path of their reference: ``id``, ``lines.0.id``."""

    kind: str
    ref: str

    def one(self, node: Any, parse: Callable[[Record], Item], ref: str | None = None) -> Item:
        """Read one record; raises Unreadable. `ref` is the reference by which it was asked for."""
        record = self._record(node, ref)
        try:
            return checked(parse(record))
        except MISREAD as error:
            raise Unreadable(self._unreadable(record, error, ref)) from error

    async def one_async(
        self, node: Any, parse: Callable[[Record], Awaitable[Item]], ref: str | None = None
    ) -> Item:
        """Read one record with a reader that calls the remote; raises Unreadable."""
        record = self._record(node, ref)
        try:
            return checked(await parse(record))
        except MISREAD as error:
            raise Unreadable(self._unreadable(record, error, ref)) from error

    def each(
        self,
        nodes: Iterable[Any],
        parse: Callable[[Record], Item | None],
        ref: str | None = None,
    ) -> Batch[Item]:
        """Read records one by one; `parse` returns None for one that is not wanted."""
        items: list[Item] = []
        unreadable: list[UnreadableRecord] = []
        for node in nodes:
            try:
                item = self.one(node, parse, ref)
            except Unreadable as error:
                unreadable.append(error.record)
            else:
                items += [item] if item is not None else []
        return Batch(tuple(items), tuple(unreadable))

    def either(
        self, node: Any, parse: Callable[[Record], Item | None]
    ) -> tuple[Item | UnreadableRecord, ...]:
        """Read one record of a walk: the item, the record if it cannot be read, or nothing."""
        found = self.each([node], parse)
        return (*found.items, *found.unreadable)

    async def walk(
        self, nodes: AsyncIterator[Any], parse: Callable[[Record], Item]
    ) -> AsyncIterator["Item | UnreadableRecord"]:
        """Read records as they come; one that cannot be read is yielded as such."""
        async for node in nodes:
            for each in self.either(node, parse):
                yield each

    def keyed(
        self, nodes: Iterable[Any], parse: Callable[[Record], tuple[str, Item]]
    ) -> dict[str, "Item | Unreadable"]:
        """Read records one by one into a dict, `parse` gives key and item.

        One that cannot be read stands there as its error, where its reference can be read.
        """
        found: dict[str, Item | Unreadable] = {}
        for node in nodes:
            try:
                key, item = self.one(node, parse)
                found[key] = item
            except Unreadable as error:
                if error.record.ref is not None:
                    found[error.record.ref] = error
        return found

    def found(self, items: Mapping[str, "Item | Unreadable"], ref: str) -> Item:
        """Return what `keyed` read under a reference; raises NotFound, or Unreadable as it was."""
        item = items.get(ref)
        if item is None:
            raise NotFound(f"no {self.kind} {ref}")
        if isinstance(item, Unreadable):
            raise item
        return item

    def each_of_many(
        self,
        nodes: Iterable[Any],
        parse: Callable[[Record], Sequence[Item]],
        ref: str | None = None,
    ) -> Batch[Item]:
        """Read records one by one, each of which holds any number of items.

        `ref` is the reference by which all of them were asked for.
        """
        found = self.each(nodes, lambda node: tuple(parse(node)), ref)
        return Batch(tuple(each for some in found.items for each in some), found.unreadable)

    async def each_async(
        self, nodes: Iterable[Any], parse: Callable[[Record], Awaitable[Item | None]]
    ) -> Batch[Item]:
        """Read records one by one with a reader that calls the remote."""
        items: list[Item] = []
        unreadable: list[UnreadableRecord] = []
        for node in nodes:
            try:
                item = await self.one_async(node, parse)
            except Unreadable as error:
                unreadable.append(error.record)
            else:
                items += [item] if item is not None else []
        return Batch(tuple(items), tuple(unreadable))

    def newest(
        self, nodes: Iterable[Any], time_of: Callable[[Record], datetime | None]
    ) -> datetime | None:
        """Return the latest time of some records; those whose time cannot be read are left out."""
        return max(self.times(nodes, time_of), default=None)

    def times(
        self, nodes: Iterable[Any], time_of: Callable[[Record], datetime | None]
    ) -> list[datetime]:
        """Return the times of those records whose time can be read."""
        found = []
        for node in nodes:
            try:
                time = self.one(node, time_of)
            except Unreadable:
                continue
            found += [time] if time is not None else []
        return found

    def _record(self, node: Any, ref: str | None) -> Record:
        if isinstance(node, Record):
            return node
        if isinstance(node, dict):
            return Record(node)
        error = FieldError("(record)", node, "is no object")
        raise Unreadable(self._unreadable(node, error, ref))

    def _unreadable(self, record: Any, error: Exception, ref: str | None) -> UnreadableRecord:
        path, value, reason = _where(record, error)
        return UnreadableRecord(
            kind=self.kind,
            ref=ref or _reference(record, self.ref),
            field=path,
            value=as_json(value, VALUE_CHARS_MAX, personal=is_personal(path)),
            reason=reason,
            raw=as_json(redact(record), RAW_CHARS_MAX),
        )


def _where(record: Any, error: Exception) -> tuple[str, Any, str]:
    """Find the field that an error is about: its own word, or the field that was read last."""
    if isinstance(error, FieldError):
        return error.path, error.value, error.reason
    if isinstance(error, ValueProblem):
        found = _path_of(record, error.value)
        return found or error.path, error.value, error.reason
    last = record.last if isinstance(record, Record) else _LastRead()
    if last.value is None or (isinstance(last.value, str) and last.value == MISSING):
        return last.path or "(record)", last.value, "is missing"
    return last.path or "(record)", last.value, f"cannot be read ({type(error).__name__})"


def _path_of(part: Any, value: Any) -> str | None:
    """Find the field that holds this very value."""
    if isinstance(part, Record):
        named = ((part.at(name), each) for name, each in part.items())
    elif isinstance(part, Elements):
        named = ((f"{part.path}[{index}]", each) for index, each in enumerate(part))
    else:
        return None
    for path, each in named:
        if each is value or (isinstance(value, str | int | float) and each == value):
            return path
        if found := _path_of(each, value):
            return found
    return None


def _reference(record: Any, path: str) -> str | None:
    found = record
    for name in path.split("."):
        if isinstance(found, list):
            found = dict(enumerate(found)).get(int(name)) if name.isdecimal() else None
        else:
            found = dict.get(found, name) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        return None
    text = str(found)
    return text if text.isprintable() and len(text) <= VALUE_CHARS_MAX else None
