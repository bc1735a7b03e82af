"""Queries for records by their ids alone, as Relay's specification of global identification asks.

Each is found as its own query finds it, with the same rights: an id says nothing to whoever may not
read its record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.errors import InvalidInput, UnknownReference, UnknownUnit
from hub.identifiers.numbers import is_id
from hub.storage import record_kinds
from hub.storage.record_kinds import RecordKind
from hub_api.after_sales.claim_queries import ClaimQuery
from hub_api.cases.queries import CaseQuery
from hub_api.catalogue.types import Location, Product
from hub_api.channels.queries import ChannelQuery
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.counts.queries import CountQuery
from hub_api.imports.queries import ImportQuery
from hub_api.inbound.ship_notice_queries import ShipNoticeQuery
from hub_api.orders.queries import OrderQuery
from hub_api.recalls.queries import RecallQuery
from hub_api.reconciliation.queries import ReconciliationQuery
from hub_api.returns.queries import ReturnQuery
from hub_api.units.queries import UnitQuery
from hub_api.webhooks.queries import WebhookQuery

NODES_MAX = 100

Find = Callable[[Info, str], Awaitable[Any]]


def _query(owner: type, field: str, argument: str) -> Find:
    """Return what asks a query of the schema."""
    fields = owner.__strawberry_definition__.fields  # type: ignore[attr-defined]
    ask = next(each for each in fields if each.python_name == field).base_resolver.wrapped_func

    async def find(info: Info, name: str) -> Any:
        return await ask(None, info, **{argument: name})

    return find


async def _product(info: Info, sku: str) -> Product | None:
    info.context.require(Scope.STOREFRONT)
    found = await info.context.read(lambda tx: catalogue.products_by_code(tx, [sku]))
    return Product.of(found[sku]) if sku in found else None


async def _location(info: Info, code: str) -> Location:
    info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
    return Location.of(await info.context.read(lambda tx: catalogue.location(tx, code)))


FINDS: dict[str, Find] = {
    "unit": _query(UnitQuery, "unit", "identifier"),
    "product": _product,
    "location": _location,
    "order": _query(OrderQuery, "order", "id"),
    "channel": _query(ChannelQuery, "channel", "code"),
    "case": _query(CaseQuery, "case", "id"),
    "reconciliation_run": _query(ReconciliationQuery, "reconciliation_run", "id"),
    "difference": _query(ReconciliationQuery, "difference", "id"),
    "return_case": _query(ReturnQuery, "return_case", "id"),
    "recall": _query(RecallQuery, "recall", "ref"),
    "stock_count": _query(CountQuery, "stock_count", "ref"),
    "claim": _query(ClaimQuery, "claim", "id"),
    "ship_notice": _query(ShipNoticeQuery, "advance_ship_notice", "id"),
    "import_run": _query(ImportQuery, "import_run", "id"),
    "webhook": _query(WebhookQuery, "webhook", "id"),
}


@strawberry.type
class NodeQuery:
    """Reading by id alone."""

    @strawberry.field(
        description="The record of an id; null if there is none that the caller may read.",
        metadata={"cost": 5},
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        found = await info.context.read(lambda tx: record_kinds.kinds(tx, [id]))
        return await _found(info, found.get(id))

    @strawberry.field(
        description=f"Records by their ids, at most {NODES_MAX}, in the order of the ids; null as "
        "for `node`.",
        metadata={"cost": 5, "size": NODES_MAX},
    )
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > NODES_MAX:
            raise InvalidInput(f"at most {NODES_MAX} at once", field="ids")
        wanted = [each for each in dict.fromkeys(ids) if is_id(each)]
        found = await info.context.read(lambda tx: record_kinds.kinds(tx, wanted))
        records = await asyncio.gather(*(_found(info, found.get(each)) for each in wanted))
        known = dict(zip(wanted, records, strict=True))
        return [known.get(each) for each in ids]


async def _found(info: Info, record: RecordKind | None) -> Node | None:
    if record is None:
        return None
    try:
        node: Node | None = await FINDS[record["kind"]](info, record["name"])
    except (UnknownReference, UnknownUnit):
        return None  # deleted meanwhile, or not this caller's
    return node
