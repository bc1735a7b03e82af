"""The rate limiter: each API key has a bucket of cost that fills again by itself."""

import time
from collections.abc import Callable

from hub_api.common.context import Context

COST_MAX = 200_000
COST_PER_SECOND = 40_000.0
KEYS_MAX = 10_000


class Limiter:
    """Buckets by API key; the fullest are forgotten first, since a full one is as good as new."""

    def __init__(
        self,
        *,
        cost_max: int = COST_MAX,
        cost_per_second: float = COST_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cost_max = cost_max
        self._cost_per_second = cost_per_second
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # what is left, and as of when

    async def spend(self, context: Context, cost: int) -> float | None:
        """Take a cost from the caller's bucket; None if it was there, else seconds to wait."""
        now = self._clock()
        key = context.caller.key_id
        left, since = self._left.get(key, (float(self._cost_max), now))
        left = min(float(self._cost_max), left + (now - since) * self._cost_per_second)
        # An operation dearer than a full bucket passes when it is full, and is paid off afterwards.
        if left < min(cost, self._cost_max):
            self._left[key] = (left, now)
            return (min(cost, self._cost_max) - left) / self._cost_per_second
        self._left[key] = (left - cost, now)
        if len(self._left) > KEYS_MAX:
            del self._left[max(self._left, key=lambda each: self._left[each][0])]
        return None
