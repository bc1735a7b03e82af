"""Page of what each row of the conformance kit asks, generated from the rows.

``serial-hub connectors rows`` writes ``docs/connectors/rows.md``; a test compares it with what is
generated.
"""

import inspect
import re
from collections.abc import Iterator
from types import ModuleType

from connectors.testing.case import Case
from connectors.testing.conformance import (
    amounts,
    buyers,
    contacts,
    errors,
    events,
    fulfillment,
    lines,
    orders,
    queues,
    records,
    refunds,
    returns,
    routes,
    stock,
    warranties,
    webhooks,
)
from connectors.testing.simulator_driver import SimulatorDriver

HEAD = """# What each row asks

Generated from the code by `serial-hub connectors rows`: every row of the conformance kit, what it
promises, whom it concerns, and what your driver has to define for it. A row that does not concern a
connector is "n/a" with the reason; a row that fails names the missing call and the wanted state.
[Write a connector in an hour](writing.md) is the guide, [the contract](contract.md) the reference.

`official-contract` and `official-answers` are played with `--specs`: every request of the rows, and
every answer of the simulator, keeps to the channel's official contract.
"""

SUBJECTS: tuple[tuple[str, ModuleType], ...] = (
    ("Orders", orders),
    ("Odd records", records),
    ("Lines, moments and other channels", lines),
    ("Money and kinds of lines", amounts),
    ("Buyers, and places with other hours", buyers),
    ("Stock", stock),
    ("Shipments", fulfillment),
    ("Returns", returns),
    ("Refunds", refunds),
    ("Webhooks", webhooks),
    ("Queues", queues),
    ("Warranties, registrations and messages", warranties),
    ("Reaching buyers", contacts),
    ("Events and devices", events),
    ("Credentials and limits", routes),
    ("The wire", errors),
)
_DRIVER_CALL = re.compile(r"driver\.(\w+)")
_HELPER_CALL = re.compile(r"\b(_\w+)\(")
_METHODS = frozenset(name for name in vars(SimulatorDriver) if not name.startswith("_"))
EVERY_DRIVER = frozenset({"build", "settings", "simulator", "clock"})


def rows_page() -> str:
    """Return the page as Markdown: a section for each subject, an entry for each row."""
    parts = [HEAD]
    for title, module in SUBJECTS:
        parts.append(f"## {title}\n")
        parts.append(f"{(inspect.getdoc(module) or '').strip()}\n")
        parts.extend(_entry(module, each) for each in module.CASES)
    return "\n".join(parts)


def _entry(module: ModuleType, row: Case) -> str:
    text = "\n".join(
        line for line in (inspect.getdoc(row.run) or "").splitlines()[1:] if line.strip()
    )
    needs = ", ".join(f"`{each.__name__}`" for each in row.needs) or "every connector"
    said = [f"### `{row.name}`\n", f"{row.promise}\n"]
    said += [f"{text}\n"] if text else []
    said.append(f"- concerns: {needs}{_unless(row)}")
    if called := sorted(_of_driver(module, row)):
        said.append(f"- the driver defines: {', '.join(f'`{each}`' for each in called)}")
    return "\n".join(said) + "\n"


def _unless(row: Case) -> str:
    """Say which connectors are left out, in the words that they get."""
    flag, why = getattr(row.unless, "flag", ""), getattr(row.unless, "why", "")
    if flag:
        return f"; not where `{flag}` is False ({why})"
    return f"; not where {why}" if why else ""


def _of_driver(module: ModuleType, row: Case) -> set[str]:
    """Return the driver's methods and facts that a row uses, by itself or by its helpers."""
    found, seen, todo = set[str](), set[str](), list(_sources(row.run))
    while todo:
        source = todo.pop()
        found |= set(_DRIVER_CALL.findall(source)) & _METHODS
        for name in set(_HELPER_CALL.findall(source)) - seen:
            seen.add(name)
            helper = getattr(module, name, None)
            todo += _sources(helper) if inspect.isfunction(helper) else ()
    return found - EVERY_DRIVER


def _sources(function: object) -> Iterator[str]:
    yield inspect.getsource(function)  # type: ignore[arg-type]
