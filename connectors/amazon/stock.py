"""Set quantities of Amazon listings: read, compare, then one change each, or one feed for many.

A change is accepted before it shows. A feed is worked on by Amazon for a while and reports which of
its messages were refused; until then nobody knows, so the feed is waited for, and withdrawn where
it was not begun in time. Two feeds at once could arrive in the wrong order: there is only one.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connectors.amazon.documents import document_content
from connectors.amazon.mapping import (
    DOCUMENTS,
    FEEDS,
    ITEMS,
    LISTINGS,
    OWN_STOCK,
    TYPE_DEFAULT,
    next_token,
    operation_of,
    own_quantity,
    product_type,
    request_object,
    stocked_by_amazon,
)
from connectors.contract import PushedLevel
from connectors.errors import (
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.toolkit.cursors import moment, stamp
from connectors.toolkit.json_fields import identity, nodes_of, parsed_json, records
from connectors.unreadable import Unreadable
from hub.vocabulary import StockLevel

ITEMS_PER_PAGE = 20
ITEMS_MAX = 1000  # Amazon pages no further through one search
FEW = 20  # so many are changed one by one
FEED_TYPE = "JSON_LISTINGS_FEED"
FEED_KIND = "application/json; charset=UTF-8"
FEED_SECONDS_MAX = 240.0
FEED_POLL_SECONDS = 5.0
ANOTHER_FEED_SECONDS = 60.0
ENDED_IN_VAIN = frozenset({"CANCELLED", "FATAL"})
SHOWN = "summaries,fulfillmentAvailability"


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose listings, and where they are shown."""

    api: RemoteApi
    seller: str
    marketplaces: tuple[str, ...]
    poll_seconds: float = FEED_POLL_SECONDS
    feed_seconds: float = FEED_SECONDS_MAX

    async def search(self, **asked: str) -> Mapping[str, Any]:
        """Read one page of listings."""
        params = {
            "marketplaceIds": ",".join(self.marketplaces),
            "includedData": SHOWN,
            "pageSize": str(ITEMS_PER_PAGE),
            **asked,
        }
        return await request_object(
            self.api, "GET", f"{LISTINGS}/{quote(self.seller, safe='')}", params=params
        )


async def iterate_listings(shop: Shop) -> AsyncIterator[Any]:
    """Yield every listing. Where a search is at its end it begins again at what was newest."""
    seen: set[str] = set()
    since: str | None = None
    while True:
        token, newest, count, fresh = None, since, 0, False
        while True:
            asked = {"sortBy": "createdDate", "sortOrder": "ASC"}
            asked |= {"createdAfter": since} if since else {}
            asked |= {"pageToken": token} if token else {}
            answer = await shop.search(**asked)
            for item in nodes_of(answer, "items", required=False):
                count += 1
                sku, created = _listed(item)
                newest = created or newest
                if sku is None or sku not in seen:
                    fresh = fresh or sku is not None
                    seen |= {sku} if sku is not None else set()
                    yield item
            token = next_token(answer)
            if token is None:
                break
        if count < ITEMS_MAX or not fresh or newest is None:
            return
        since = newest


def _listed(item: Any) -> tuple[str | None, str | None]:
    """Read the SKU of a listing and when it was created; None for what can not be read."""
    sku = item.get("sku") if isinstance(item, dict) else None
    times = ITEMS.either(item, _created)
    created = next((each for each in times if isinstance(each, str)), None)
    return sku if isinstance(sku, str) else None, created


def _created(item: Mapping[str, Any]) -> str | None:
    """Read when a listing was created; the first marketplace's time is the one it is sorted by."""
    times = [moment(each["createdDate"]) for each in records(item, "summaries")]
    return stamp(min(times)) if times else None


async def push_levels(shop: Shop, levels: Sequence[StockLevel]) -> list[PushedLevel]:
    """Compare with what is shown, and set what differs."""
    shown = await _shown(shop, [level.remote["sku"] for level in levels])
    answers, wanted, types = list[PushedLevel](), list[StockLevel](), dict[str, str]()
    for level in levels:
        item = shown.get(level.remote["sku"])
        if isinstance(item, RateLimited | Unreadable):
            answers.append(PushedLevel(level.listing, error=item))
        elif item is None:
            lost = NotFound(f"the seller has no listing {level.remote['sku']}")
            answers.append(PushedLevel(level.listing, error=lost))
        elif item.by_amazon:
            message = Rejected("the listing is served by Amazon: its quantity is not ours to set")
            answers.append(PushedLevel(level.listing, error=message))
        elif item.quantity == level.available:
            answers.append(PushedLevel(level.listing, item.quantity))
        elif None not in (level.expected, item.quantity) and level.expected != item.quantity:
            moved = Conflict("the quantity has changed", observed=item.quantity)
            answers.append(PushedLevel(level.listing, error=moved))
        else:
            types[level.listing] = item.product_type
            wanted.append(level)
    if len(wanted) > FEW:
        return [*answers, *await _feed(shop, wanted, types)]
    return [*answers, *[await _patch(shop, level, types[level.listing]) for level in wanted]]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a push needs of a listing: its product type, its own quantity, and who serves it."""

    product_type: str
    quantity: int | None
    by_amazon: bool


def _listing(item: Mapping[str, Any]) -> tuple[str, Listing]:
    kind = product_type(item, TYPE_DEFAULT)
    return identity(item, "sku"), Listing(kind, own_quantity(item), stocked_by_amazon(item))


Shown = dict[str, Listing | Unreadable | RateLimited]


async def _shown(shop: Shop, skus: Sequence[str]) -> Shown:
    """Read listings by their SKUs; those that may not be asked for by now say so."""
    found: Shown = {}
    for start in range(0, len(skus), ITEMS_PER_PAGE):
        part = skus[start : start + ITEMS_PER_PAGE]
        try:
            answer = await shop.search(identifiers=",".join(part), identifiersType="SKU")
        except RateLimited as later:
            if not found:
                raise
            found |= dict.fromkeys(skus[start:], later)
            break
        found |= ITEMS.keyed(nodes_of(answer, "items", required=False), _listing)
    return found


def _change(level: StockLevel) -> dict[str, Any]:
    value = {"fulfillment_channel_code": OWN_STOCK, "quantity": level.available}
    return {"op": "replace", "path": "/attributes/fulfillment_availability", "value": [value]}


async def _patch(shop: Shop, level: StockLevel, kind: str) -> PushedLevel:
    path = f"{LISTINGS}/{quote(shop.seller, safe='')}/{quote(level.remote['sku'], safe='')}"
    try:
        # Absolute, and compared before: to repeat it at once is safe.
        answer = await request_object(
            shop.api,
            "PATCH",
            path,
            params={"marketplaceIds": ",".join(shop.marketplaces)},
            json={"productType": kind, "patches": [_change(level)]},
            repeat=True,
        )
    except (Rejected, NotFound, Conflict, RateLimited) as refusal:
        # One that has to wait for its turn does not undo what was done for the others.
        return PushedLevel(level.listing, error=refusal)
    if answer.get("status") == "INVALID":
        return PushedLevel(level.listing, error=_refused(answer.get("issues") or []))
    return PushedLevel(level.listing, level.available)


def _refused(issues: Sequence[Mapping[str, Any]]) -> ConnectorError:
    worst = [each for each in issues if each.get("severity") == "ERROR"] or list(issues)
    message = "; ".join(f"{each.get('code') or ''} {each.get('message') or ''}" for each in worst)
    return Rejected(message.strip()[:ERROR_TEXT_CHARS_MAX] or "Amazon calls the change invalid")


async def _feed(
    shop: Shop, levels: Sequence[StockLevel], types: Mapping[str, str]
) -> list[PushedLevel]:
    """Set all in one feed, and answer what its report says of each."""
    busy = await request_object(
        shop.api,
        "GET",
        FEEDS,
        params={"feedTypes": FEED_TYPE, "processingStatuses": "IN_QUEUE,IN_PROGRESS"},
    )
    if busy.get("feeds"):
        raise RateLimited("another feed of listings is being worked on", ANOTHER_FEED_SECONDS)
    feed = await _submit(shop, levels, types)
    try:
        ended = await _ended(shop, feed)
    except Transient as trouble:
        return [PushedLevel(level.listing, error=trouble) for level in levels]
    issues = await _issues(shop, str(ended["resultFeedDocumentId"]))
    return [
        PushedLevel(level.listing, error=_refused(issues[number]))
        if issues[number]
        else PushedLevel(level.listing, level.available)
        for number, level in enumerate(levels, start=1)
    ]


async def _submit(shop: Shop, levels: Sequence[StockLevel], types: Mapping[str, str]) -> str:
    messages = [
        {
            "messageId": number,
            "sku": level.remote["sku"],
            "operationType": "PATCH",
            "productType": types[level.listing],
            "patches": [_change(level)],
        }
        for number, level in enumerate(levels, start=1)
    ]
    document = {"header": {"sellerId": shop.seller, "version": "2.0"}, "messages": messages}
    place = await request_object(
        shop.api, "POST", DOCUMENTS, json={"contentType": FEED_KIND}, repeat=True
    )
    # The address is signed: our own token is none of its business.
    await shop.api.request(
        "PUT",
        place["url"],
        auth=None,
        content=json.dumps(document).encode(),
        headers={"content-type": FEED_KIND},
    )
    body = {
        "feedType": FEED_TYPE,
        "marketplaceIds": list(shop.marketplaces),
        "inputFeedDocumentId": place["feedDocumentId"],
    }
    return str((await request_object(shop.api, "POST", FEEDS, json=body))["feedId"])


async def _ended(shop: Shop, feed: str) -> Mapping[str, Any]:
    """Wait until a feed was worked on; withdraw it where Amazon takes too long to begin."""
    path = f"{FEEDS}/{quote(feed, safe='')}"
    for _ in range(max(1, int(shop.feed_seconds / shop.poll_seconds))):
        await asyncio.sleep(shop.poll_seconds)
        state = await request_object(shop.api, "GET", path)
        status = state.get("processingStatus")
        if status == "DONE" and state.get("resultFeedDocumentId"):
            return state
        if status == "DONE" or status in ENDED_IN_VAIN:
            raise Unknown(f"feed {feed} ended as {status} without a report")
    try:
        await shop.api.request("DELETE", path, operation=operation_of("DELETE", path))
    except (Rejected, NotFound, Conflict) as refusal:
        raise Unknown(f"feed {feed} is still being worked on") from refusal
    raise Transient(f"feed {feed} was not begun in time and was withdrawn")


async def _issues(shop: Shop, document: str) -> dict[int, list[Mapping[str, Any]]]:
    """Read the report of a feed: the errors of each message by its number."""
    place = await request_object(shop.api, "GET", f"{DOCUMENTS}/{quote(document, safe='')}")
    content = await document_content(shop.api, place)
    try:
        report = parsed_json(content)
        found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for issue in report["issues"]:
            if issue.get("severity") == "ERROR":
                found[int(issue.get("messageId") or 0)].append(issue)
    except (ValueError, LookupError, TypeError) as error:
        raise Unknown("the report of a feed can not be read") from error
    if found[0]:  # about the feed as a whole
        raise _refused(found[0])
    return found
