"""Recall predicates: a small closed vocabulary, validated on input, compiled to SQL.

A predicate is a JSON object. Each of its fields narrows; `all` and `any` join further predicates;
`component` fits a kit that has, or ever had, a part which fits. Serials are compared in their
canonical form; their ranges, prefixes, patterns and segments are those of `serial_ranges`.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypedDict

from hub.clock import micros
from hub.errors import InvalidInput, UnknownReference
from hub.identifiers.numbers import canonical, verbatim
from hub.recalls import serial_periods, serial_ranges
from hub.storage.sql import Transaction

DEPTH_MAX = 4
NODES_MAX = 30
SERIALS_MAX = 20_000
VALUES_MAX = 200
TEXT_CHARS_MAX = 200
WHY_CHARS_MAX = 200
FAR = 9_000_000_000_000_000  # microseconds since 1970: after everything

Predicate = dict[str, Any]


class _PeriodRule(TypedDict):
    code: str
    serial_period: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A predicate as SQL about one unit, with the values of its parameters."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


def parse(tx: Transaction, given: Mapping[str, Any]) -> Predicate:
    """Validate a predicate and return its canonical form; raises InvalidInput.

    Raises UnknownReference for a product, a manufacturer or a delivery that does not exist.
    """
    predicate = _node(given, 1, itertools.count(1))
    _decode(tx, predicate)
    for name, (statement, error) in KNOWN.items():
        for value in _named(predicate, name):
            bound = value if isinstance(value, dict) else {"code": value}
            if tx.row(statement, **bound) is None:
                raise UnknownReference(error.format(**bound), field=name)
    return predicate


def _decode(tx: Transaction, node: Predicate) -> None:
    """Keep with periods the rules of their makers, as they are now."""
    if "periods" in node:
        codes = sorted({each["manufacturer"] for each in node["periods"]})
        rules = {
            row["code"]: row["serial_period"]
            for row in tx.rows_as(
                _PeriodRule,
                "SELECT code, serial_period FROM manufacturer WHERE code IN (:codes...)",
                codes=codes,
            )
        }
        for code in codes:
            if code not in rules:
                raise UnknownReference(f"there is no manufacturer {code!r}", field="periods")
        node["periods"] = [
            serial_periods.with_rule(each, rules[each["manufacturer"]]) for each in node["periods"]
        ]
    further = [node["component"]] if "component" in node else []
    for each in (*further, *node.get("all", ()), *node.get("any", ())):
        _decode(tx, each)


def skus(predicate: Predicate) -> set[str] | None:
    """Return the only products whose units can fit; None: no product is named."""
    found: set[str] | None = set(predicate["products"]) if "products" in predicate else None
    for each in predicate.get("all", ()):
        further = skus(each)
        if further is not None:
            found = further if found is None else found & further
    if "any" in predicate:
        choices = [skus(each) for each in predicate["any"]]
        union = {sku for each in choices if each is not None for sku in each}
        if None not in choices:
            found = union if found is None else found & union
    return found


def components(predicate: Predicate) -> Iterator[Predicate]:
    """Yield the predicates that parts of kits have to fit."""
    if "component" in predicate:
        yield predicate["component"]
        yield from components(predicate["component"])
    for each in (*predicate.get("all", ()), *predicate.get("any", ())):
        yield from components(each)


def condition(predicate: Predicate) -> Condition:
    """Compile a predicate to SQL about the table or alias `unit`."""
    values: dict[str, Any] = {}
    return Condition(_told(predicate, "unit", values, itertools.count(1)), values)


def reasons(predicate: Predicate) -> list[tuple[str, Condition]]:
    """Return the texts of the parts of a predicate with their conditions, in order."""
    base = {name: value for name, value in predicate.items() if name != "any"}
    if "any" not in predicate:
        return [(words(predicate)[:WHY_CHARS_MAX], condition(predicate))]
    found = []
    for each in predicate["any"]:
        text = "; ".join(filter(None, (words(base), words(each))))
        found.append((text[:WHY_CHARS_MAX], condition({"all": [base, each]} if base else each)))
    return found


def words(predicate: Predicate) -> str:
    """Return a predicate as text."""
    texts = [TEXTS[name](value) for name, value in predicate.items() if name in TEXTS]
    texts += [words(each) for each in predicate.get("all", ())]
    if "any" in predicate:
        texts.append(" or ".join(words(each) for each in predicate["any"]))
    return "; ".join(texts)


# Checking what is written.


def _node(given: Any, depth: int, count: Iterator[int]) -> Predicate:
    if not isinstance(given, Mapping):
        raise InvalidInput("a predicate is an object of fields", field="predicate")
    if depth > DEPTH_MAX or next(count) > NODES_MAX:
        raise InvalidInput(
            f"a predicate is at most {DEPTH_MAX} levels deep, of {NODES_MAX} parts",
            field="predicate",
        )
    unknown = sorted(set(given) - set(FIELDS) - {"all", "any", "component"})
    if unknown:
        raise InvalidInput(f"a predicate has no field {unknown[0]!r}", field="predicate")
    if not given:
        raise InvalidInput("an empty predicate describes nothing", field="predicate")
    node: Predicate = {}
    for name in sorted(given):
        value = given[name]
        if name in {"all", "any"}:
            if not isinstance(value, list) or not value:
                raise InvalidInput(f"{name} takes one or more predicates", field=name)
            node[name] = [_node(each, depth + 1, count) for each in value]
        elif name == "component":
            node[name] = _node(value, depth + 1, count)
        else:
            node[name] = FIELDS[name](name, value)
    _in_order(node, "produced_from", "produced_to")
    _in_order(node, "received_from", "received_to")
    return node


def _in_order(node: Predicate, first: str, last: str) -> None:
    if first in node and last in node and node[first] > node[last]:
        raise InvalidInput(f"{last} is before {first}", field=last)


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= VALUES_MAX:
        raise InvalidInput(f"{name} takes 1 to {VALUES_MAX} values", field=name)
    return sorted({_text(name, each) for each in value})


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= TEXT_CHARS_MAX:
        raise InvalidInput(f"{name} needs 1 to {TEXT_CHARS_MAX} characters", field=name)
    return value


def _serials(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= SERIALS_MAX:
        raise InvalidInput(f"name 1 to {SERIALS_MAX} serials", field=name)
    for each in value:
        canonical(_text(name, each))
    # As they are written: products with exact serials compare them so.
    return sorted({verbatim(each) for each in value})


def _day(name: str, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is a day: 2026-11-30", field=name) from error


def _instant(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is a time with its zone", field=name) from error
    if at.tzinfo is None:
        raise InvalidInput(f"say the time zone of {name}", field=name)
    return micros(at)


def _deliveries(name: str, value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not 0 < len(value) <= VALUES_MAX:
        raise InvalidInput(f"name 1 to {VALUES_MAX} deliveries", field=name)
    for each in value:
        if not isinstance(each, Mapping) or set(each) != {"supplier", "ref"}:
            raise InvalidInput("a delivery has its supplier and its reference", field=name)
    return [{end: _text(name, each[end]) for end in ("supplier", "ref")} for each in value]


FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "products": _texts,
    "manufacturer": _text,
    "serials": _serials,
    "ranges": serial_ranges.parse_ranges,
    "prefixes": serial_ranges.parse_prefixes,
    "patterns": serial_ranges.parse_patterns,
    "segments": serial_ranges.parse_segments,
    "periods": serial_periods.parse,
    "lots": _texts,
    "produced_from": _day,
    "produced_to": _day,
    "received_from": _instant,
    "received_to": _instant,
    "suppliers": _texts,
    "purchase_orders": _texts,
    "deliveries": _deliveries,
}
KNOWN = {
    "products": ("SELECT id FROM product WHERE sku = :code", "there is no product {code!r}"),
    "manufacturer": (
        "SELECT id FROM manufacturer WHERE code = :code",
        "there is no manufacturer {code!r}",
    ),
    "deliveries": (
        "SELECT id FROM delivery WHERE supplier = :supplier AND ref = :ref",
        "{supplier} announced no delivery {ref!r}",
    ),
}


def _named(predicate: Predicate, name: str) -> Iterator[Any]:
    value = predicate.get(name, [])
    yield from value if isinstance(value, list) else [value]
    further = [predicate["component"]] if "component" in predicate else []
    for each in (*further, *predicate.get("all", ()), *predicate.get("any", ())):
        yield from _named(each, name)


# Compilation to SQL. Every value is bound; the text is made of constants only.

_PLAIN = {
    "products": "{unit}.product_id IN (SELECT id FROM product WHERE sku IN (:{name}...))",
    "manufacturer": "{unit}.manufacturer_id IN (SELECT id FROM manufacturer WHERE code = :{name})",
    "serials": "({unit}.serial_canonical IN (:{name}...) AND ({unit}.serial_exact = '' "
    "OR {unit}.serial_exact IN (:{name}exact...)) OR {unit}.id IN ("
    "SELECT unit_id FROM identifier WHERE canonical IN (:{name}...)))",
    "lots": "{unit}.lot IN (:{name}...)",
    "produced_from": "{unit}.produced_on >= :{name}",
    "produced_to": "{unit}.produced_on <= :{name}",
    "received_from": "{unit}.received_at >= :{name}",
    "received_to": "{unit}.received_at <= :{name}",
    "suppliers": "{unit}.supplier IN (:{name}...)",
    "purchase_orders": "{unit}.purchase_order IN (:{name}...)",
}


def _told(node: Predicate, unit: str, values: dict[str, Any], count: Iterator[int]) -> str:
    texts: list[str] = []
    for name, value in node.items():
        number = next(count)
        match name:
            case "all" | "any":
                joined = [f"({_told(each, unit, values, count)})" for each in value]
                texts.append("(" + (" AND " if name == "all" else " OR ").join(joined) + ")")
            case "component":
                texts.append(_built_with(value, unit, values, count))
            case "ranges" | "prefixes" | "patterns" | "segments":
                serial = f"{unit}.serial_canonical"
                texts.append(serial_ranges.compiled(name, value, serial, values, count))
            case "periods":
                texts.append(_made(value, unit, values, count))
            case "serials":
                values[f"p{number}"] = sorted({canonical(each) for each in value})
                values[f"p{number}exact"] = value
                texts.append(_PLAIN[name].format(unit=unit, name=f"p{number}"))
            case "deliveries":
                texts.append(_delivered(value, unit, values, count))
            case _:
                values[f"p{number}"] = value
                texts.append(_PLAIN[name].format(unit=unit, name=f"p{number}"))
    return " AND ".join(texts)


def _made(
    periods: list[dict[str, str]], unit: str, values: dict[str, Any], count: Iterator[int]
) -> str:
    texts = []
    for each in periods:
        name = f"p{next(count)}"
        values[f"{name}m"] = each["manufacturer"]
        made = serial_periods.made_in(each, f"{unit}.serial_canonical", name, values)
        of_maker = _PLAIN["manufacturer"].format(unit=unit, name=f"{name}m")
        texts.append(f"({of_maker} AND {made})")
    return "(" + " OR ".join(texts) + ")"


def _delivered(
    named: list[dict[str, str]], unit: str, values: dict[str, Any], count: Iterator[int]
) -> str:
    pairs = []
    for each in named:
        name = f"p{next(count)}"
        values |= {f"{name}a": each["supplier"], f"{name}b": each["ref"]}
        pairs.append(f"(supplier = :{name}a AND ref = :{name}b)")
    return f"{unit}.delivery_id IN (SELECT id FROM delivery WHERE {' OR '.join(pairs)})"


def _built_with(node: Predicate, unit: str, values: dict[str, Any], count: Iterator[int]) -> str:
    """Say that a unit has, or ever had, a part that fits, however deep it stood."""
    number = next(count)
    part, above = f"part{number}", f"above{number}"
    fits = _told(node, part, values, count)
    return (
        f"{unit}.id IN (WITH RECURSIVE {above}(id, since, until) AS ("
        f"SELECT parent_id, joined_at, COALESCE(left_at, {FAR:d}) FROM kit_membership "
        f"JOIN unit AS {part} ON {part}.id = kit_membership.child_id WHERE {fits} "
        "UNION SELECT around.parent_id, "
        f"CASE WHEN joined_at > {above}.since THEN joined_at ELSE {above}.since END, "
        f"CASE WHEN COALESCE(left_at, {FAR:d}) < {above}.until "
        f"THEN COALESCE(left_at, {FAR:d}) ELSE {above}.until END "
        f"FROM kit_membership AS around JOIN {above} ON around.child_id = {above}.id "
        # A kit that stood in another only before or after is no part of that.
        f"WHERE joined_at <= {above}.until AND COALESCE(left_at, {FAR:d}) >= {above}.since) "
        f"SELECT id FROM {above})"
    )


def _few(what: str) -> Callable[[list[str]], str]:
    shown = 3

    def say(values: list[str]) -> str:
        more = f" and {len(values) - shown} more" if len(values) > shown else ""
        return f"{what} {', '.join(values[:shown])}{more}"

    return say


def _day_of(instant: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + instant // 86_400_000_000).isoformat()


TEXTS: dict[str, Callable[[Any], str]] = {
    "products": _few("product"),
    "manufacturer": lambda code: f"made by {code}",
    "serials": _few("serial"),
    "ranges": lambda spans: _few("serials")(
        [f"{span['first']} to {span['last']}" for span in spans]
    ),
    "prefixes": _few("serials that begin with"),
    "patterns": _few("serials like"),
    "segments": lambda parts: (
        "serials with "
        + " and ".join(
            f"{part['first']} to {part['last']} at place {part['start']}" for part in parts
        )
    ),
    "periods": lambda periods: " or ".join(
        f"made by {each['manufacturer']} in {each['first']} to {each['last']}" for each in periods
    ),
    "lots": _few("lot"),
    "produced_from": lambda day: f"produced from {day}",
    "produced_to": lambda day: f"produced until {day}",
    "received_from": lambda at: f"received from {_day_of(at)}",
    "received_to": lambda at: f"received until {_day_of(at)}",
    "suppliers": _few("from"),
    "purchase_orders": _few("purchase order"),
    "deliveries": lambda named: _few("delivery")(
        [f"{each['supplier']} {each['ref']}" for each in named]
    ),
    "component": lambda node: f"built with: {words(node)}",
}
