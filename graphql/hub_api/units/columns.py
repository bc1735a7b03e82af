"""Units, their products and their events as they are answered straight from columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.access.keys import Scope
from hub.ledger import projection
from hub.ledger.projection import FactRow
from hub.ledger.unit_views import wanted_units
from hub.storage.sql import Transaction
from hub_api.common.context import Context
from hub_api.common.paging import cursor, position
from hub_api.engine.direct import Selected, Source
from hub_api.engine.shapes import Fact, Many, Part, Reading, Shape, shown_day, shown_moment

STAFF = (Scope.SCANNER, Scope.POS, Scope.OPS)


def _is_staff(context: Context) -> bool:
    """Return whether the caller is staff; clients see other rows than are stored."""
    caller = context.caller
    return caller.client_id is None and any(caller.may(scope) for scope in STAFF)


def _may_read(context: Context) -> bool:
    return context.caller.client_id is None and context.caller.may(Scope.STOREFRONT)


MAKER = Shape("Manufacturer", {"code": Fact("maker.code"), "name": Fact("maker.name")})
PRODUCT = Shape(
    "Product",
    {
        "id": Fact("product.id"),
        "sku": Fact("product.sku"),
        "name": Fact("product.name"),
        "gtin": Fact("product.gtin"),
        "modelNumber": Fact("product.model_number"),
        "warrantyMonths": Fact("product.warranty_months"),
        "tracking": Fact("product.tracking"),
        "manufacturer": Part(MAKER),
        "serialPattern": Fact("product.serial_pattern"),
        "serialCase": Fact("product.serial_case"),
        "category": Fact("product.category"),
        "currency": Fact("product.currency"),
        "warrantyStart": Fact("product.warranty_start"),
        "replacementCover": Fact("product.replacement_cover"),
        "returnDays": Fact("product.return_days"),
        "picking": Fact("product.picking"),
    },
)
LOCATION = Shape(
    "Location",
    {
        "id": Fact("location.id"),
        "code": Fact("location.code"),
        "name": Fact("location.name"),
        "kind": Fact("location.kind"),
    },
)
EVENT = Shape(
    "UnitEvent",
    {
        "id": Fact("id"),
        "version": Fact("version"),
        "action": Fact("action"),
        "bizStep": Fact("biz_step"),
        "statusFrom": Fact("status_from"),
        "status": Fact("status"),
        "disposition": Fact("disposition"),
        "locationFrom": Fact("from_code"),
        "location": Fact("to_code"),
        "locationName": Fact("to_name"),
        "documentType": Fact("document_type"),
        "documentRef": Fact("document_ref"),
        "reason": Fact("reason"),
        "actor": Fact("actor"),
        "capturedBy": Fact("captured_by"),
        "occurredAt": Fact("occurred_at", shown_moment),
        "recordedAt": Fact("recorded_at", shown_moment),
        "corrects": Fact("corrects"),
        "hash": Fact("hash"),
        "previousHash": Fact("previous_hash"),
    },
)
UNIT = Shape(
    "Unit",
    {
        "id": Fact("id"),
        "serial": Fact("serial"),
        "product": Part(PRODUCT),
        "status": Fact("status"),
        "disposition": Fact("disposition"),
        "location": Part(LOCATION),
        "version": Fact("version"),
        "grade": Fact("grade"),
        "lot": Fact("lot"),
        "producedOn": Fact("produced_on", shown_day),
        "expiresOn": Fact("expires_on", shown_day),
        "isBlocked": Fact("is_blocked", bool),
        "isPromised": Fact("is_promised", bool),
        "receivedAt": Fact("received_at", shown_moment),
        "soldAt": Fact("sold_at", shown_moment),
        "changedAt": Fact("changed_at", shown_moment),
        "condition": Fact("condition"),
        "origin": Fact("origin"),
        "supplier": Fact("supplier"),
        "purchaseOrder": Fact("purchase_order"),
        "advanceShipNoticeId": Fact("delivery_id"),
        "history": Many("history", EVENT, _is_staff),
    },
)


async def _unit(
    context: Context, arguments: Mapping[str, Any], selected: Selected
) -> dict[str, Any] | None:
    """Answer `unit(identifier:)`."""
    identifier, now = arguments["identifier"], context.clock()

    def read(tx: Transaction) -> list[FactRow]:
        found = projection.unit_named(tx, identifier, selected.reading.facts, now)
        return [] if found is None else _with_lists(tx, [found], selected.reading)

    rows = await (context.read if selected.reading.lists else context.read_once)(read)
    return selected.builder.build(rows[0]) if rows else None


async def _units(
    context: Context, arguments: Mapping[str, Any], selected: Selected
) -> dict[str, Any]:
    """Answer a page of `units`."""
    first, after = arguments.get("first", 50), position(arguments.get("after"))
    status, now = arguments.get("status"), context.clock()

    wanted = wanted_units(
        after=after,
        sku=arguments.get("sku"),
        status=None if status is None else str(status),
        location=arguments.get("location"),
    )

    def read(tx: Transaction) -> tuple[list[str], list[FactRow]]:
        rows = projection.unit_page(tx, selected.reading.facts, now, wanted, first)
        ids = [row[-1] for row in rows]
        return ids, _with_lists(tx, rows[:first], selected.reading)

    ids, rows = await (context.read if selected.reading.lists else context.read_once)(read)
    return _page(selected, ids, rows, first, is_later=after is not None)


def _with_lists(tx: Transaction, rows: list[FactRow], reading: Reading) -> list[FactRow]:
    """Put the lists of records in the place of their ids, which stand last."""
    if not reading.lists:
        return [row[:-1] for row in rows]
    lists = [
        projection.events_of(tx, [row[-1] for row in rows], below.facts)
        for _, below in reading.lists
    ]
    return [(*row[:-1], *(each[row[-1]] for each in lists)) for row in rows]


def _page(
    selected: Selected, ids: Sequence[str], rows: Sequence[FactRow], first: int, *, is_later: bool
) -> dict[str, Any]:
    nodes = [selected.builder.build(row) for row in rows]
    about = {
        "hasNextPage": len(ids) > first,
        "endCursor": cursor(ids[len(nodes) - 1]) if nodes else None,
        "hasPreviousPage": is_later,
        "startCursor": cursor(ids[0]) if nodes else None,
        "__typename": "PageInfo",
    }
    out: dict[str, Any] = {}
    for key, what, below in selected.outline:
        if what == "nodes":
            out[key] = nodes
        elif what == "edges":
            out[key] = [
                {
                    name: node if kind == "node" else cursor(unit_id) if kind == "cursor" else fixed
                    for name, kind, fixed in below
                }
                for unit_id, node in zip(ids, nodes, strict=False)
            ]
        else:
            out[key] = below if what == "constant" else {name: about[of] for name, of in below}
    return out


UNIT_SOURCE = Source(UNIT, _unit, frozenset({"identifier"}), _may_read)
UNITS_SOURCE = Source(
    UNIT,
    _units,
    frozenset({"first", "after", "sku", "status", "location"}),
    _is_staff,
    is_connection=True,
)
