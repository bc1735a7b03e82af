"""The stock of products as it is answered straight from what was counted."""

from collections.abc import Mapping
from typing import Any

from hub.access.keys import Scope
from hub.storefront import stock
from hub_api.common.context import Context
from hub_api.engine.direct import Selected, Source
from hub_api.engine.plan_objects import Bail
from hub_api.engine.shapes import Fact, Many, Reading, Shape, record_of, shown_day

SKUS_MAX = 200
EXACT = "available"


def _anybody(_: Context) -> bool:
    return True


def _may_read(context: Context) -> bool:
    return context.caller.may(Scope.STOREFRONT)


SITE = Shape(
    "SiteStock",
    {
        "site": Fact("site"),
        "name": Fact("name"),
        "band": Fact("band"),
        "available": Fact(EXACT),
    },
)
CONDITION = Shape(
    "ConditionStock",
    {"condition": Fact("condition"), "band": Fact("band"), "available": Fact(EXACT)},
)
AVAILABILITY = Shape(
    "Availability",
    {
        "sku": Fact("sku"),
        "condition": Fact("condition"),
        "band": Fact("band"),
        "available": Fact(EXACT),
        "sites": Many("sites", SITE, _anybody),
        "conditions": Many("conditions", CONDITION, _anybody),
        "nextArrival": Fact("next_arrival", shown_day),
    },
)


async def _availability(
    context: Context, arguments: Mapping[str, Any], selected: Selected
) -> list[dict[str, Any] | None]:
    """Answer `availability(skus:)`."""
    skus, site = arguments["skus"], arguments.get("site")
    if len(skus) > SKUS_MAX or (
        _names_numbers(selected.reading) and not context.caller.may(Scope.QUANTITIES)
    ):
        raise Bail
    condition, now = arguments.get("condition"), context.clock()
    found = await context.read(
        lambda tx: stock.of_skus(
            tx, skus, now, site=site, condition=None if condition is None else str(condition)
        )
    )
    build, reading = selected.builder.build, selected.reading
    return [None if each is None else build(record_of(each, reading)) for each in found]


def _names_numbers(reading: Reading) -> bool:
    return EXACT in reading.facts or any(_names_numbers(below) for _, below in reading.lists)


AVAILABILITY_SOURCE = Source(
    AVAILABILITY, _availability, frozenset({"skus", "site", "condition"}), _may_read
)
