"""The rate limiter: buckets of cost that fill again by themselves.

Each secret key has a bucket. A publishable key stands in the pages of all shoppers: each address
that uses it has a bucket, and the key has a larger one, so that nobody spends what staff has.
"""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub_api.common import security_events
from hub_api.common.context import Context
from hub_api.common.security_events import SecurityEvent
from hub_api.engine.wire import ReplyHeaders

BUCKETS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """How much cost fits, and how much of it comes back in a second."""

    cost_max: int
    cost_per_second: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """A bucket and what is left in it."""

    bucket: Bucket
    left: float

    def headers(self) -> ReplyHeaders:
        """Return it as the fields `RateLimit` and `RateLimit-Policy` (IETF httpapi draft)."""
        most, rate = self.bucket.cost_max, self.bucket.cost_per_second
        left = max(0, int(self.left))
        wait = -int(-(most - self.left) // rate)
        window = -int(-most // rate)
        return (
            (b"ratelimit", f'"cost";r={left};t={max(0, wait)}'.encode()),
            (b"ratelimit-policy", f'"cost";q={most};w={window}'.encode()),
        )


SECRET_KEY = Bucket(200_000, 40_000.0)
PUBLISHABLE_KEY = Bucket(400_000, 80_000.0)
ADDRESS = Bucket(10_000, 500.0)  # about 50 product pages at once, then two or three a second


class Limiter:
    """Buckets by their names; those with the largest share left are forgotten first."""

    def __init__(
        self,
        *,
        cost_max: int = SECRET_KEY.cost_max,
        cost_per_second: float = SECRET_KEY.cost_per_second,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret_key = Bucket(cost_max, cost_per_second)
        self._clock = clock
        self._left: dict[str, tuple[float, float, Bucket]] = {}  # what is left, and as of when

    async def spend(self, context: Context, cost: int) -> float | None:
        """Take a cost from the caller's buckets; None if it was there, else seconds to wait."""
        context.cost += cost
        now = self._clock()
        if context.caller.origins is None:
            return self._spend_one(context.caller.key_id, cost, now)
        buckets = self._buckets(context)
        left = {name: self._in(name, bucket, now) for name, bucket in buckets.items()}
        # An operation dearer than a full bucket passes when it is full, and is paid off afterwards.
        wait = max(
            (min(cost, bucket.cost_max) - left[name]) / bucket.cost_per_second
            for name, bucket in buckets.items()
        )
        for name, bucket in buckets.items():
            self._left[name] = (left[name] - (0 if wait > 0 else cost), now, bucket)
        if len(self._left) > BUCKETS_MAX:
            self._forget()
        if wait <= 0:
            return None
        security_events.note(
            SecurityEvent.RATE_LIMITED, key=context.caller.key_id, address=context.address
        )
        return wait

    def _spend_one(self, name: str, cost: int, now: float) -> float | None:
        """Take a cost from the only bucket of a secret key."""
        bucket = self._secret_key
        left = self._in(name, bucket, now)
        lacking = (cost if cost < bucket.cost_max else bucket.cost_max) - left
        self._left[name] = (left if lacking > 0 else left - cost, now, bucket)
        if len(self._left) > BUCKETS_MAX:
            self._forget()
        return lacking / bucket.cost_per_second if lacking > 0 else None

    def left(self, context: Context) -> Allowance:
        """Return what the caller has left, of the bucket with the least in it."""
        now = self._clock()
        if context.caller.origins is None:
            name, bucket = context.caller.key_id, self._secret_key
            return Allowance(bucket, self._in(name, bucket, now))
        return min(
            (
                Allowance(bucket, self._in(name, bucket, now))
                for name, bucket in self._buckets(context).items()
            ),
            key=lambda each: each.left,
        )

    def _buckets(self, context: Context) -> dict[str, Bucket]:
        """Return the buckets that the caller takes from, by their names."""
        key = context.caller.key_id
        if not context.caller.is_publishable:
            return {key: self._secret_key}
        return {f"{key} {network(context.address)}": ADDRESS, key: PUBLISHABLE_KEY}

    def _in(self, name: str, bucket: Bucket, now: float) -> float:
        left, since, _ = self._left.get(name, (float(bucket.cost_max), now, bucket))
        return min(float(bucket.cost_max), left + (now - since) * bucket.cost_per_second)

    def _forget(self) -> None:
        """Forget half of the buckets at once: a full one is as good as a new one."""

        def share(name: str) -> float:
            left, _, bucket = self._left[name]
            return left / bucket.cost_max

        for name in sorted(self._left, key=share, reverse=True)[: BUCKETS_MAX // 2]:
            del self._left[name]


def network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or a network /64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
