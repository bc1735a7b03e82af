"""Rate limits: what a remote allows, as data, and how much of it is left.

A limit belongs to one account and to some of its operations: a bucket that refills continuously
(Shopify's points, most APIs' calls), or a count for each window of time (a daily quota). What the
remote reports in its responses replaces what was computed here.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """One limit. Either `per_second` refills a bucket, or `window_seconds` resets a count."""

    name: str
    capacity: float
    per_second: float = 0.0
    window_seconds: float = 0.0
    operations: frozenset[str] = frozenset()  # the ones that it limits; none named: all
    weighted: bool = False  # a call takes its cost in points; else each call takes one

    def __post_init__(self) -> None:
        if self.capacity <= 0 or (self.per_second > 0) == (self.window_seconds > 0):
            raise ValueError(f"{self.name}: a budget refills, or begins anew with each window")

    def applies_to(self, operation: str) -> bool:
        """Return whether an operation draws from this limit."""
        return not self.operations or operation in self.operations


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitReading:
    """What a response reports about one limit; None is not reported."""

    rate_limit: str
    remaining: float | None = None
    capacity: float | None = None
    per_second: float | None = None
    resets_in: float | None = None  # seconds until the window begins anew


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitState:
    """How much of a limit is left at an instant, in seconds of the clock of its store."""

    left: float
    at: float
    capacity: float
    per_second: float
    window_ends: float = 0.0
    blocked_until: float = 0.0
    declared: tuple[float, float] = (0.0, 0.0)
    """Capacity and rate of the limit that it was made for: another limit replaces what is known."""

    @classmethod
    def full(cls, rate_limit: RateLimit, now: float) -> "RateLimitState":
        """Return the state of an unused limit."""
        return cls(
            left=rate_limit.capacity,
            at=now,
            capacity=rate_limit.capacity,
            per_second=rate_limit.per_second,
            window_ends=now + rate_limit.window_seconds if rate_limit.window_seconds else 0.0,
            declared=(rate_limit.capacity, rate_limit.per_second),
        )

    @classmethod
    def read(cls, stored: Any) -> "RateLimitState":
        """Restore a state from stored plain values."""
        return cls(**{**stored, "declared": tuple(stored.get("declared", (0.0, 0.0)))})

    def plain(self) -> dict[str, Any]:
        """Return plain values to store."""
        return asdict(self)

    def refilled(self, rate_limit: RateLimit, now: float) -> "RateLimitState":
        """Return the state at `now`: refilled, or reset at the end of its window.

        A limit that was declared anew, as by other settings, holds from now on: what was spent
        before stays spent, and what the remote reported of the old limit is forgotten.
        """
        now = max(now, self.at)  # a clock that was set back gives nothing and takes nothing
        if self.declared != (rate_limit.capacity, rate_limit.per_second):
            return self._redeclared(rate_limit).refilled(rate_limit, now)
        if rate_limit.window_seconds:
            if now < self.window_ends:
                return replace(self, at=now)
            return replace(
                self, at=now, left=self.capacity, window_ends=now + rate_limit.window_seconds
            )
        return replace(
            self, at=now, left=min(self.capacity, self.left + (now - self.at) * self.per_second)
        )

    def _redeclared(self, rate_limit: RateLimit) -> "RateLimitState":
        """Return the state under another limit: as much less than full as it was before."""
        spent = max(0.0, self.capacity - self.left)
        return replace(
            self,
            left=max(0.0, rate_limit.capacity - spent),
            capacity=rate_limit.capacity,
            per_second=rate_limit.per_second,
            declared=(rate_limit.capacity, rate_limit.per_second),
        )

    def wait(self, rate_limit: RateLimit, cost: float) -> float:
        """Return the seconds to wait for `cost`. A cost above the capacity waits for all of it."""
        blocked = max(0.0, self.blocked_until - self.at)
        lacking = min(cost, self.capacity) - self.left
        if lacking <= 0:
            return blocked
        if rate_limit.window_seconds:
            return max(blocked, self.window_ends - self.at)
        return max(blocked, lacking / self.per_second)

    def spent(self, cost: float) -> "RateLimitState":
        """Return the state after a call of this cost."""
        return replace(self, left=self.left - cost)

    def corrected(self, reading: RateLimitReading) -> "RateLimitState":
        """Return the state with what the remote reports."""
        return replace(
            self,
            left=self.left if reading.remaining is None else reading.remaining,
            capacity=reading.capacity or self.capacity,
            per_second=reading.per_second or self.per_second,
            window_ends=(
                self.window_ends if reading.resets_in is None else self.at + reading.resets_in
            ),
        )

    def blocked(self, seconds: float) -> "RateLimitState":
        """Return the state after the remote asked for a pause of this many seconds."""
        return replace(self, blocked_until=max(self.blocked_until, self.at + seconds))


class RateLimitStore(ABC):
    """Store of the rate limits of one account."""

    @abstractmethod
    async def take(self, rate_limit: RateLimit, cost: float) -> float:
        """Draw `cost` and return 0; or draw nothing and return the seconds until it is there."""

    @abstractmethod
    async def wait(self, rate_limit: RateLimit) -> float:
        """Return the seconds until a call may be made; draws nothing."""

    @abstractmethod
    async def learn(self, rate_limit: RateLimit, reading: RateLimitReading) -> None:
        """Store what the remote reports about a limit."""

    @abstractmethod
    async def block(self, rate_limit: RateLimit, seconds: float) -> None:
        """Let nobody draw from a limit for some seconds: the remote asked for it."""


class LocalRateLimits(RateLimitStore):
    """Rate limits of one process that uses the account alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[str, RateLimitState] = {}

    async def take(self, rate_limit: RateLimit, cost: float) -> float:
        account = self._of(rate_limit)
        wait = account.wait(rate_limit, cost)
        self._accounts[rate_limit.name] = account if wait else account.spent(cost)
        return wait

    async def wait(self, rate_limit: RateLimit) -> float:
        return self._of(rate_limit).wait(rate_limit, 1.0)

    async def learn(self, rate_limit: RateLimit, reading: RateLimitReading) -> None:
        self._accounts[rate_limit.name] = self._of(rate_limit).corrected(reading)

    async def block(self, rate_limit: RateLimit, seconds: float) -> None:
        self._accounts[rate_limit.name] = self._of(rate_limit).blocked(seconds)

    def _of(self, rate_limit: RateLimit) -> RateLimitState:
        now = self._clock()
        known = self._accounts.get(rate_limit.name) or RateLimitState.full(rate_limit, now)
        return known.refilled(rate_limit, now)


class NoRateLimits(RateLimitStore):
    """No limits on our side: only the remote limits the account."""

    async def take(self, rate_limit: RateLimit, cost: float) -> float:
        return 0.0

    async def wait(self, rate_limit: RateLimit) -> float:
        return 0.0

    async def learn(self, rate_limit: RateLimit, reading: RateLimitReading) -> None:
        return None

    async def block(self, rate_limit: RateLimit, seconds: float) -> None:
        return None
