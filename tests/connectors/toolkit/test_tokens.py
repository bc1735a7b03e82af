"""How a token is fetched: on the way of the calls, and what a refusal of it means."""

import asyncio
from typing import Any

import httpx
import pytest

from connectors import (
    AuthFailed,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    Remote,
    RemoteApi,
    Transient,
    Unknown,
)
from connectors.toolkit.rate_limits import NoRateLimits
from connectors.toolkit.tokens import TokenAuth, oauth

SERVER = "https://tokens.test/token"


def asked(answer: Any) -> list[httpx.Request]:
    """Make one call that needs a token, and return everything that was sent."""
    sent: list[httpx.Request] = []

    def play(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if request.url.host != "tokens.test":
            return httpx.Response(200, json={})
        said = answer(request) if callable(answer) else answer
        assert isinstance(said, httpx.Response)
        return said

    async def scenario() -> None:
        exchange = oauth(
            SERVER,
            lambda _: {"grant_type": "client_credentials"},
            basic=("me", "a-secret-of-mine"),
            headers=lambda: {"x-asks": "hub"},
        )
        remote = Remote(base_url="https://api.test", auth=TokenAuth(exchange))
        transport = httpx.MockTransport(play)
        api = RemoteApi(remote, attempts=1, transport=transport, rate_limits=NoRateLimits())
        for _ in range(2):
            await api.json("GET", "/things")
        await api.aclose()

    asyncio.run(scenario())
    return sent


def test_a_token_is_fetched_once_on_the_way_of_the_calls() -> None:
    sent = asked(httpx.Response(200, json={"access_token": "t-1", "expires_in": 900}))
    assert [each.url.path for each in sent] == ["/token", "/things", "/things"]
    assert sent[0].headers["x-asks"] == "hub"
    assert sent[0].headers["authorization"].startswith("Basic ")
    assert sent[1].headers["authorization"] == "Bearer t-1"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), AuthFailed),
        (httpx.Response(400, json={"error": "temporarily_odd"}), Rejected),
        (httpx.Response(401), AuthFailed),
        (httpx.Response(404), NotFound),
        (httpx.Response(409), Conflict),
        (httpx.Response(429, headers={"retry-after": "7"}), RateLimited),
        (httpx.Response(503, text="<html>"), Transient),
        (httpx.Response(200, text="<html>"), Unknown),
        (httpx.Response(200, json={"token": "t"}), AuthFailed),
        (httpx.Response(200, json=[]), AuthFailed),
    ],
)
def test_a_refusal_is_one_of_the_six_and_repeats_nothing_of_ours(
    answer: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error) as corrected:
        asked(answer)
    assert type(corrected.value) is error
    assert "a-secret-of-mine" not in str(corrected.value)
    if isinstance(corrected.value, RateLimited):
        assert corrected.value.retry_after == 7


@pytest.mark.parametrize(
    ("broken", "error"), [(httpx.ConnectError, Transient), (httpx.ReadTimeout, Unknown)]
)
def test_a_way_that_breaks_says_whether_it_was_asked(
    broken: type[httpx.TransportError], error: type[Exception]
) -> None:
    def breaks(request: httpx.Request) -> httpx.Response:
        raise broken("broken", request=request)

    with pytest.raises(error) as corrected:
        asked(breaks)
    assert type(corrected.value) is error
