"""Conformance case: a promise, the capabilities it concerns, and the function that proves it.

Cases are plain functions: the suite runs them under pytest, the scorecard without. A case that does
not concern a connector says why; it never passes silently.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.contract import Connector

Found = TypeVar("Found")
Class = type[Connector[Any]]
CaseFunction = Callable[[Any], Awaitable[None]]  # what it is given is a stage
GUIDE = "docs/connectors/rows.md, contract.md and docs/connectors/writing.md"
REQUESTS_SHOWN = 4  # of those that were sent
Condition = Callable[[Class], str | None]


class ConformanceFailure(AssertionError):
    """The connector, or its simulator, does not keep the promise of a case."""


class NotApplicable(Exception):
    """The case does not concern this connector; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """A promise, the capabilities that it concerns, and the function that proves it."""

    name: str
    promise: str
    needs: tuple[type, ...]
    unless: Condition | None
    run: CaseFunction

    @property
    def calls(self) -> str:
        """Name the methods of the contract that the case is about: ``PushStock.push_stock``."""
        named = [
            f"{kind.__name__}.{method}"
            for kind in self.needs
            for method in sorted(getattr(kind, "__abstractmethods__", ()))
        ]
        return ", ".join(named) or "Connector.check, and every call that goes over the wire"

    def explained(self, failure: str, made: Sequence[str]) -> str:
        """Return a failure with the calls it concerns, what is wanted, and the page to read.

        `made` are the requests that were sent, oldest first.
        """
        sent = f"{len(made)} requests, the last: {', '.join(made[-REQUESTS_SHOWN:])}"
        return (
            f"{failure}\n"
            f"wanted ({self.name}): {self.promise}\n"
            f"by: {self.calls}\n"
            f"sent: {sent if made else 'no request at all: is a call missing?'}\n"
            f"read: {GUIDE}"
        )

    def not_applicable(self, connector: Class) -> str | None:
        """Return why the case does not concern a connector; None where it does."""
        lacking = [each.__name__ for each in self.needs if not issubclass(connector, each)]
        if lacking:
            return f"not able to {' nor to '.join(map(_as_words, lacking))}"
        return self.unless(connector) if self.unless else None


def _as_words(name: str) -> str:
    """Write ``PullOrders`` as ``pull orders``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def case(*needs: type, unless: Condition | None = None) -> Callable[[CaseFunction], Case]:
    """Make a case of a function: its name, and as its promise the first line of its docstring."""

    def made(scenario: CaseFunction) -> Case:
        name = str(getattr(scenario, "__name__", "")).replace("_", "-")
        promise = (scenario.__doc__ or "").strip().partition("\n")[0]
        return Case(name, promise, needs, unless, scenario)

    return made


def unless_flag(flag: str, why: str) -> Condition:
    """Exclude connectors whose class sets a flag of the contract to False."""

    def condition(connector: Class) -> str | None:
        return None if getattr(connector, flag) else f"{why} ({flag} is False)"

    condition.flag, condition.why = flag, why  # type: ignore[attr-defined]
    return condition


def unless_empty(attribute: str, why: str) -> Condition:
    """Exclude connectors whose class leaves an attribute of the contract empty."""

    def condition(connector: Class) -> str | None:
        return None if getattr(connector, attribute, None) else why

    condition.why = f"`{attribute}` is empty ({why})"  # type: ignore[attr-defined]
    return condition


def require(condition: object, message: str) -> None:
    """Fail the case unless the condition is true; unlike `assert`, also under ``python -O``."""
    if not condition:
        raise ConformanceFailure(message)


def require_equal(found: object, wanted: object, what: str) -> None:
    """Fail the case unless two values are equal."""
    require(found == wanted, f"{what}: {found!r}, not {wanted!r}")


def require_one(found: Iterable[Found], what: str) -> Found:
    """Return the single item; fail the case where there are more or none."""
    listed = list(found)
    require(len(listed) == 1, f"{what}: there are {len(listed)}, not 1")
    return listed[0]


@contextmanager
def require_raises(kind: type[Exception], what: str) -> Iterator[list[Any]]:
    """Fail the case unless the block raises `kind`; the error is put into the yielded list."""
    caught: list[Any] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
        return
    except Exception as error:
        raise ConformanceFailure(f"{what}: {error!r}, not {kind.__name__}") from error
    raise ConformanceFailure(f"{what}: nothing was raised, not {kind.__name__}")


def names(cases: Sequence[Case]) -> list[str]:
    """Return the names of cases."""
    return [each.name for each in cases]
