"""Square's counts: read, and set in one call where none is refused."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Conflict, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.square.mapping import ARTICLES, KeyReused, call, digest, is_counted, parse_counts
from connectors.toolkit.cursors import stamp
from connectors.toolkit.json_fields import identity, nodes_of
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import StockLevel


async def untracked_of(api: RemoteApi, location: str, ids: Sequence[str]) -> frozenset[str]:
    """Find the articles whose stock the seller does not keep at the location."""
    if not ids:
        return frozenset()
    body = {"object_ids": list(dict.fromkeys(ids))}
    answer = await call(api, "POST", "/v2/catalog/batch-retrieve", json=body, repeat=True)
    found = ARTICLES.each(
        nodes_of(answer, "objects", required=False),
        lambda each: None if is_counted(each, location) else identity(each, "id"),
    )
    return frozenset(found.items)


async def set_levels(
    api: RemoteApi, location: str, levels: Sequence[StockLevel]
) -> list[PushedLevel]:
    """Set counts in one call; by halves where some are refused, to find the bad ones."""
    if not levels:
        return []
    try:
        return await _set_counts(api, location, levels)
    except (Rejected, NotFound, Conflict) as refusal:
        if len(levels) == 1:
            return [PushedLevel(levels[0].listing, error=refusal)]
    half = len(levels) // 2
    return [
        *await set_levels(api, location, levels[:half]),
        *await set_levels(api, location, levels[half:]),
    ]


async def counts_of(
    api: RemoteApi, location: str, ids: Sequence[str]
) -> tuple[dict[str, int], list[UnreadableRecord]]:
    """Read counts by catalog object, and those that could not be read."""
    counts, odd = dict[str, int](), list[UnreadableRecord]()
    body: dict[str, Any] = {
        "catalog_object_ids": list(ids),
        "location_ids": [location],
        "states": ["IN_STOCK"],
    }
    while ids:
        path = "/v2/inventory/counts/batch-retrieve"
        answer = await call(api, "POST", path, json=body, repeat=True)
        found = parse_counts(answer)
        counts |= dict(found.items)
        odd += found.unreadable
        if not answer.get("cursor"):
            break
        body["cursor"] = answer["cursor"]
    return counts, odd


async def _set_counts(
    api: RemoteApi, location: str, levels: Sequence[StockLevel]
) -> list[PushedLevel]:
    now = stamp(datetime.now(UTC))
    changes = [
        {
            "type": "PHYSICAL_COUNT",
            "physical_count": {
                "reference_id": level.key[:255],
                "catalog_object_id": level.remote["catalog_object_id"],
                "location_id": level.remote.get("location_id", location),
                "state": "IN_STOCK",
                "quantity": str(level.available),
                "occurred_at": now,
            },
        }
        for level in levels
    ]
    wanted = [[each.key, each.remote["catalog_object_id"], each.available] for each in levels]
    body = {"idempotency_key": digest(json.dumps(wanted)), "changes": changes}
    try:
        path = "/v2/inventory/changes/batch-create"
        answer = await call(api, "POST", path, json=body, repeat=True)
    except KeyReused:
        return await _present(api, location, levels)
    counts = dict(parse_counts(answer).items)
    return [
        PushedLevel(each.listing, counts.get(each.remote["catalog_object_id"], each.available))
        for each in levels
    ]


async def _present(
    api: RemoteApi, location: str, levels: Sequence[StockLevel]
) -> list[PushedLevel]:
    """Answer for counts that an earlier call set: what is there now may be another number."""
    counts, _ = await counts_of(
        api, location, [level.remote["catalog_object_id"] for level in levels]
    )
    results = []
    for level in levels:
        present = counts.get(level.remote["catalog_object_id"])
        error = Conflict("set by an earlier call, changed since", observed=present)
        if present == level.available:
            results.append(PushedLevel(level.listing, present))
        else:
            results.append(PushedLevel(level.listing, error=error))
    return results
