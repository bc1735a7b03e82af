"""Reference page of the connector contract, generated from the code.

``serial-hub connectors reference`` writes ``docs/connectors/contract.md``; a test compares the
committed page with what is generated, so that signatures and docstrings there are those of the
code.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

from connectors import (
    contract,
    errors,
    exchanged,
    refunds,
    registry,
    remote,
    shipments,
    stock_levels,
    unreadable,
)
from connectors.testing import (
    case,
    doors,
    harness,
    record_twin,
    served,
    simulator,
    simulator_driver,
    suite,
)
from connectors.toolkit import (
    accounts,
    amounts,
    bearer_auth,
    cursors,
    json_fields,
    keyset_pages,
    page_size,
    rate_limits,
    records,
    signatures,
    status_errors,
    time_windows,
    tokens,
)

HEAD = """# The connector contract

Generated from the code by `serial-hub connectors reference`: every public name that the author of a
connector imports. [Write a connector in an hour](writing.md) is the guide; this page is the
reference.
"""

SECTIONS: tuple[tuple[str, tuple[ModuleType, ...]], ...] = (
    ("Contract", (contract, exchanged, refunds, stock_levels, shipments, unreadable)),
    ("Errors", (errors, status_errors)),
    ("Remote calls", (remote, rate_limits)),
    ("Credentials", (tokens, bearer_auth, signatures, accounts)),
    ("Cursors and pages", (cursors, keyset_pages, time_windows, page_size)),
    ("Records and amounts", (json_fields, records, amounts)),
    ("Registry", (registry,)),
    (
        "Simulators and conformance",
        (simulator, record_twin, doors, simulator_driver, served, suite, harness, case),
    ),
)


def reference() -> str:
    """Return the page as Markdown: a section for each subject, an entry for each public name."""
    parts = [HEAD]
    for title, modules in SECTIONS:
        parts.append(f"## {title}\n")
        for module in modules:
            parts.append(f"### `{module.__name__}`\n")
            parts.append(f"{_text(module)}\n")
            parts.extend(entry for each in _public(module) for entry in _entry(each))
    return "\n".join(parts)


def _public(module: ModuleType) -> list[Any]:
    """Return the public classes and functions that a module defines, in the order of its lines."""
    own = [
        each
        for name, each in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(each) or inspect.isfunction(each))
        and each.__module__ == module.__name__
    ]
    return sorted(own, key=lambda each: inspect.getsourcelines(each)[1])


def _entry(each: Any) -> Iterator[str]:
    if inspect.isclass(each):
        bases = [base.__name__ for base in each.__bases__ if base not in (object, Exception)]
        heading = f"{each.__name__}({', '.join(bases)})" if bases else each.__name__
        yield f"#### class `{heading}`\n"
        yield f"{_text(each)}\n"
        yield from _attributes(each)
        yield from _methods(each)
    else:
        yield f"#### `{_signature(each)}`\n"
        yield f"{_text(each)}\n"


def _attributes(each: type) -> Iterator[str]:
    """List fields and class attributes, each with its default and the text below it."""
    described = _attribute_texts(each)
    names = [name for name in vars(each).get("__annotations__", {}) if not name.startswith("_")]
    if not names:
        return
    defaults = {field.name for field in fields(each)} if is_dataclass(each) else set()
    lines = []
    for name in names:
        kind = "field" if name in defaults else "attribute"
        text = described.get(name, "")
        lines.append(f"- {kind} `{name}`{f': {text}' if text else ''}")
    yield "\n".join(lines) + "\n"


def _attribute_texts(each: type) -> dict[str, str]:
    """Return the strings that stand below attributes, by the attribute's name."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(each)))
    (declared,) = tree.body
    assert isinstance(declared, ast.ClassDef)
    found: dict[str, str] = {}
    for before, after in zip(declared.body, declared.body[1:], strict=False):
        if (
            isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[before.target.id] = " ".join(str(after.value.value).split())
    return found


def _methods(each: type) -> Iterator[str]:
    for name, member in vars(each).items():
        function = member.__func__ if isinstance(member, classmethod) else member
        is_property = isinstance(member, property)
        if name.startswith("_") or not (inspect.isfunction(function) or is_property):
            continue
        if not inspect.getdoc(member):
            continue  # implements a method that is described where it is declared
        heading = name if is_property else _signature(function)
        yield f"- `{heading}`\n\n{_indented(_text(member))}\n"


def _signature(function: Any) -> str:
    """Write a signature on one line, as it stands in the code."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    declared = tree.body[0]
    assert isinstance(declared, ast.FunctionDef | ast.AsyncFunctionDef)
    prefix = "async " if isinstance(declared, ast.AsyncFunctionDef) else ""
    arguments = ast.unparse(declared.args)
    for receiver in ("self", "cls"):
        if arguments == receiver:
            arguments = ""
        arguments = arguments.removeprefix(f"{receiver}, ")
    returned = f" -> {ast.unparse(declared.returns)}" if declared.returns else ""
    return f"{prefix}{declared.name}({arguments}){returned}"


def _text(each: Any) -> str:
    return (inspect.getdoc(each) or "").replace("``", "`").strip()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
