"""Cases about credentials and limits: who is refused is reported, who is too fast waits as long."""

import time
from email.utils import formatdate

import httpx

from connectors.contract import PullOrders, PushStock
from connectors.errors import AuthFailed, RateLimited
from connectors.testing.case import NotApplicable, case, require, require_equal, require_raises
from connectors.testing.harness import Clock, Harness, open_harness

WAIT_SECONDS = 120
SLACK_SECONDS = 5


@case()
async def check_passes(harness: Harness) -> None:
    """With the right settings the check is silent."""
    await harness.connector.check()


@case()
async def revoked_access(harness: Harness) -> None:
    """Credentials that are refused are AuthFailed on every call, whatever worked before."""
    await harness.connector.check()
    harness.driver.revoke()
    with require_raises(AuthFailed, "the check"):
        await harness.connector.check()
    if isinstance(harness.connector, PullOrders):
        with require_raises(AuthFailed, "pulling orders"):
            await harness.connector.pull_orders("")
    if isinstance(harness.connector, PushStock):
        remote = harness.driver.list_article("CAM", 5)
        with require_raises(AuthFailed, "pushing stock"):
            answers = await harness.push([harness.level("CAM", 6, remote, 5)])
            if answers[0].error is not None:
                raise answers[0].error
        require_equal(harness.driver.quantity_shown("CAM"), 5, "what is shown")


@case()
async def expired_tokens_are_replaced(harness: Harness) -> None:
    """A token that runs out is fetched anew, once, and the call goes on; a refusal is reported."""
    clock = Clock()
    driver = type(harness.driver)(clock)
    if driver.settings_with_tokens("http://127.0.0.1:9") is None:
        raise NotApplicable("its credentials do not run out by themselves")
    async with open_harness(type(harness.connector), driver, clock, with_tokens=True) as other:
        await other.connector.check()
        before = driver.tokens_issued()
        require(before >= 1, "no token was fetched")
        driver.expire_tokens()
        await other.connector.check()
        require_equal(driver.tokens_issued() - before, 1, "so many tokens after one ran out")
        await other.connector.check()
        require_equal(driver.tokens_issued() - before, 1, "so many tokens while one is good")
        driver.expire_tokens()
        driver.revoke()
        with require_raises(AuthFailed, "a token that is not given any more"):
            await other.connector.check()


@case()
async def retry_after_is_respected(harness: Harness) -> None:
    """429 with Retry-After, in seconds or as a date, is RateLimited with that wait."""
    moment = formatdate(time.time() + WAIT_SECONDS, usegmt=True)
    for outcome in (str(WAIT_SECONDS), moment):
        headers = {"retry-after": outcome}
        harness.transport.answer_next(lambda _, h=headers: httpx.Response(429, headers=h, json={}))  # type: ignore[misc]
        with require_raises(RateLimited, f"Retry-After: {outcome}") as caught:
            await harness.connector.check()
        apart = abs(caught[0].retry_after - WAIT_SECONDS)
        require(apart <= SLACK_SECONDS, f"{outcome}: it waits {caught[0].retry_after} seconds")


@case()
async def channel_specific_throttling(harness: Harness) -> None:
    """However the channel says that we are too fast, it is RateLimited with a wait."""
    harness.driver.throttle()
    with require_raises(RateLimited, "throttled") as caught:
        await harness.connector.check()
    require(caught[0].retry_after > 0, "it waits no time at all")
    await harness.connector.check()


CASES = (
    check_passes,
    revoked_access,
    expired_tokens_are_replaced,
    retry_after_is_respected,
    channel_specific_throttling,
)
