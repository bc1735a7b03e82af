"""Subscriptions of shops: stock as it changes."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence

import orjson
import strawberry

from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.ledger.arrivals import Condition
from hub.storefront import stock
from hub_api.common.context import Info
from hub_api.common.streams import Stream
from hub_api.storefront.queries import Availability

SKUS_MAX = 50
# A reservation that ends frees its units without an event, and a policy changes without one.
LOOK_SECONDS = 15.0
GATHER_SECONDS = 0.1  # changes within it are sent together
DIGEST_BYTES = 6


@strawberry.type(description="Stock that changed.")
class AvailabilityUpdate:
    changed: list[Availability] = strawberry.field(
        description="The products that changed since the last answer; in the first one all that "
        "are known, or what changed after the cursor.",
        metadata={"size": 5},
    )


@strawberry.type
class StockSubscription:
    """Stock as it changes."""

    @strawberry.subscription(
        description="Stock of products at once, and again whenever what the caller may see of it "
        "changes. Each answer bears a cursor in `extensions.cursor`, and as the id of a "
        "server-sent event: with the last one and the same products, only what changed since is "
        "sent.",
        metadata={"cost": 50},
    )
    async def availability(
        self,
        info: Info,
        skus: list[str],
        site: str | None = None,
        condition: Condition | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[AvailabilityUpdate, None]:
        """Send stock until the client goes, or its key is revoked."""
        info.context.require(Scope.STOREFRONT)
        if not 0 < len(skus) <= SKUS_MAX:
            raise InvalidInput(f"1 to {SKUS_MAX} SKUs", field="skus")
        wanted = list(dict.fromkeys(skus))
        given = after if after is not None else info.context.resume_after
        seen = {} if given is None else _seen(given, wanted)
        is_first = True
        with info.context.stock_changes.listen(wanted) as woken:
            stream = Stream(info.context, woken)
            while True:
                woken.clear()
                shown = await _look(info, wanted, site, condition)
                digests = {sku: _digest(each) for sku, each in shown.items()}
                changed = [each for sku, each in shown.items() if seen.get(sku) != digests[sku]]
                seen = digests
                if changed or is_first:
                    is_first = False
                    await stream.ready(_cursor(wanted, digests))
                    yield AvailabilityUpdate(changed=changed)
                await stream.wait(LOOK_SECONDS)
                await asyncio.sleep(GATHER_SECONDS)


async def _look(
    info: Info, skus: Sequence[str], site: str | None, condition: Condition | None
) -> dict[str, Availability]:
    """Return what the caller may see of each product that is known."""
    now, wanted = info.context.clock(), None if condition is None else str(condition)
    found = await info.context.read(
        lambda tx: stock.of_skus(tx, skus, now, site=site, condition=wanted)
    )
    exact = info.context.caller.may(Scope.QUANTITIES)
    return {
        sku: Availability.of(each, exact=exact)
        for sku, each in zip(skus, found, strict=True)
        if each is not None
    }


def _digest(shown: Availability) -> bytes:
    """Return a short hash of what the caller may see, and of nothing else."""
    text = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()


def _cursor(skus: Sequence[str], digests: Mapping[str, bytes]) -> str:
    nothing = bytes(DIGEST_BYTES)
    packed = b"".join(digests.get(sku, nothing) for sku in skus)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _seen(cursor: str, skus: Sequence[str]) -> dict[str, bytes]:
    """Return what a client has seen by its cursor; nothing where it is of other products."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        packed = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise InvalidInput("this is no cursor of a stream of stock", field="after") from None
    if len(packed) != DIGEST_BYTES * len(skus):
        return {}
    parts = [packed[at : at + DIGEST_BYTES] for at in range(0, len(packed), DIGEST_BYTES)]
    return dict(zip(skus, parts, strict=True))
