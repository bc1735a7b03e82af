"""Rate limit budgets and tokens of channels, shared by all workers of a cluster.

A worker draws a little ahead, so that not each call is a transaction; budget that it does not spend
within a second is lost, so the workers use less than the channel allows, never more.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import orjson

from connectors import Transient
from connectors.toolkit.rate_limits import (
    RateLimit,
    RateLimitReading,
    RateLimitState,
    RateLimitStore,
)
from connectors.toolkit.tokens import Exchange, Token, TokenStore
from hub.access.vault import Vault
from hub.storage.database import Database
from hub.storage.sql import Transaction
from hub.sync import rate_limits

logger = logging.getLogger(__name__)

AHEAD_SECONDS = 0.25  # of a bucket's refill are drawn at once
KEPT_SECONDS = 1.0
DRIFT_MAX = 0.1  # of the capacity: smaller corrections of the remote are not worth a write
TOKEN_SECONDS_MAX = 10.0
TOKEN_POLL_SECONDS = 0.1

Change = Callable[[RateLimitState], RateLimitState]


class SharedRateLimits(RateLimitStore):
    """The rate limits of one channel, stored in the database."""

    def __init__(self, database: Database, clock: Callable[[], datetime], channel_id: str) -> None:
        self._database = database
        self._clock = clock
        self._channel_id = channel_id
        self._drawn: dict[str, tuple[float, float]] = {}  # (amount left, drawn at)
        self._seen: dict[str, RateLimitState] = {}

    async def take(self, rate_limit: RateLimit, cost: float) -> float:
        now = self._now()
        left, since = self._drawn.get(rate_limit.name, (0.0, 0.0))
        if left >= cost and 0 <= now - since < KEPT_SECONDS:
            self._drawn[rate_limit.name] = (left - cost, since)
            return 0.0
        if wait := self._known(rate_limit).wait(rate_limit, cost):
            return wait  # known to be used up: no transaction
        amount = max(cost, rate_limit.per_second * AHEAD_SECONDS)

        def draw(account: RateLimitState) -> RateLimitState:
            for wanted in (amount, cost):
                if not account.wait(rate_limit, wanted):
                    return account.spent(wanted)
            return account

        before, after = await self._change(rate_limit, draw)
        if after == before:
            return before.wait(rate_limit, cost)
        self._drawn[rate_limit.name] = (before.left - after.left - cost, now)
        return 0.0

    async def wait(self, rate_limit: RateLimit) -> float:
        return self._known(rate_limit).wait(rate_limit, 1.0)

    async def learn(self, rate_limit: RateLimit, reading: RateLimitReading) -> None:
        known = self._known(rate_limit)
        same = known.corrected(reading)
        drift = abs(same.left - known.left)
        other = (same.capacity, same.per_second) != (known.capacity, known.per_second)
        if drift > DRIFT_MAX * known.capacity or other:
            self._drawn.pop(rate_limit.name, None)
            await self._change(rate_limit, lambda account: account.corrected(reading))

    async def block(self, rate_limit: RateLimit, seconds: float) -> None:
        self._drawn.pop(rate_limit.name, None)
        await self._change(rate_limit, lambda account: account.blocked(seconds))

    async def _change(
        self, rate_limit: RateLimit, change: Change
    ) -> tuple[RateLimitState, RateLimitState]:
        now = self._now()

        def work(tx: Transaction) -> tuple[RateLimitState, RateLimitState]:
            def replace(kept: str | None) -> tuple[str, tuple[RateLimitState, RateLimitState]]:
                account = (
                    RateLimitState.read(orjson.loads(kept))
                    if kept
                    else RateLimitState.full(rate_limit, now)
                )
                before = account.refilled(rate_limit, now)
                after = change(before)
                return orjson.dumps(after.plain()).decode(), (before, after)

            return rate_limits.change_budget(tx, self._channel_id, rate_limit.name, replace)

        before, after = await self._database.write(work)
        self._seen[rate_limit.name] = after
        return before, after

    def _known(self, rate_limit: RateLimit) -> RateLimitState:
        now = self._now()
        return (self._seen.get(rate_limit.name) or RateLimitState.full(rate_limit, now)).refilled(
            rate_limit, now
        )

    def _now(self) -> float:
        return self._clock().timestamp()


class SharedTokens(TokenStore):
    """The token of one channel, sealed in the database; one worker fetches it for all."""

    def __init__(
        self, database: Database, vault: Vault, clock: Callable[[], datetime], channel_id: str
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._channel_id = channel_id
        self._token: Token | None = None

    async def current(self) -> Token | None:
        if self._token is None:
            self._token = await self._read()
        return self._token

    async def renew(self, used: Token | None, exchange: Exchange) -> Token:
        for _ in range(int(TOKEN_SECONDS_MAX / TOKEN_POLL_SECONDS)):
            newest = await self._read()
            if newest is not None and newest != used:
                self._token = newest
                return newest
            fence = await self._database.write(
                lambda tx: rate_limits.claim_token(tx, self._channel_id, self._clock())
            )
            if fence is not None:
                # Read again under the claim: another worker may have fetched it meanwhile.
                newest = await self._read()
                if newest is not None and newest != used:
                    await self._keep(None, fence)
                    self._token = newest
                else:
                    self._token = await self._fetch(newest, exchange, fence)
                return self._token
            await asyncio.sleep(TOKEN_POLL_SECONDS)
        raise Transient("another worker takes too long to fetch a token")

    async def _fetch(self, newest: Token | None, exchange: Exchange, fence: int) -> Token:
        try:
            token = await exchange(newest)
        except BaseException:
            await self._keep(None, fence)
            raise
        sealed = self._vault.seal(
            {"access": token.access, "expires_at": token.expires_at, "refresh": token.refresh}
        )
        await self._keep(sealed, fence)
        return token

    async def _keep(self, sealed: str | None, fence: int) -> None:
        await self._database.write(
            lambda tx: rate_limits.keep_token(tx, self._channel_id, sealed, fence)
        )

    async def _read(self) -> Token | None:
        row = await self._database.read(lambda tx: rate_limits.token(tx, self._channel_id))
        if row is None or not row["sealed"]:
            return None
        return Token(**self._vault.open(row["sealed"]))


def stores(
    database: Database, vault: Vault, clock: Callable[[], datetime]
) -> Callable[[str], tuple[RateLimitStore, TokenStore]]:
    """Return a factory of the shared rate limits and the shared token of a channel, by its id."""
    return lambda channel_id: (
        SharedRateLimits(database, clock, channel_id),
        SharedTokens(database, vault, clock, channel_id),
    )
