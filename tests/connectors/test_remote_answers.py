"""Answers that are none of the API's: bot walls, moved addresses, nothing at all, retirements."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors import (
    AuthFailed,
    ConnectorError,
    Moved,
    NotFound,
    Rejected,
    Remote,
    RemoteApi,
    Transient,
    Unknown,
)
from connectors.toolkit.tokens import TokenAuth, oauth

HTML = {"content-type": "text/html; charset=UTF-8"}
PAGE = "<!DOCTYPE html><html><title>Just a moment...</title></html>"
Answer = Callable[[httpx.Request], httpx.Response]


def ask(
    answer: Answer, method: str = "GET", base_url: str = "https://shop.test", **options: Any
) -> tuple[Any, RemoteApi]:
    """Make one call; return its outcome, an error included, and the client."""

    async def once() -> tuple[Any, RemoteApi]:
        remote = Remote(base_url=base_url, calls_per_second=1000)
        api = RemoteApi(remote, attempts=1, transport=httpx.MockTransport(answer))
        try:
            return await api.json(method, "/things", **options), api
        except ConnectorError as error:
            return error, api
        finally:
            await api.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (403, {**HTML, "cf-mitigated": "challenge"}, PAGE),
        (403, HTML, PAGE),
        (401, HTML, PAGE),
        (403, {}, "\n  <html><body>Access denied</body></html>"),
        (403, {"cf-mitigated": "challenge"}, ""),
        (405, {"x-amzn-waf-action": "captcha"}, ""),
        (202, {"x-amzn-waf-action": "challenge"}, ""),
    ],
)
def test_a_wall_in_front_of_the_api_is_tried_again_later(
    status: int, headers: dict[str, str], text: str
) -> None:
    outcome, _ = ask(lambda _: httpx.Response(status, headers=headers, text=text))
    assert type(outcome) is Transient, repr(outcome)
    assert "stands before the API" in str(outcome)


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (401, {}, ""),
        (403, {"content-type": "application/json"}, '{"code": "rest_forbidden"}'),
        (403, {"content-type": "application/xml"}, "<?xml version='1.0'?><error/>"),
        (401, {**HTML, "www-authenticate": "Basic realm=staging"}, PAGE),
    ],
)
def test_a_refusal_in_the_language_of_the_api_is_a_refusal_of_credentials(
    status: int, headers: dict[str, str], text: str
) -> None:
    outcome, _ = ask(lambda _: httpx.Response(status, headers=headers, text=text))
    assert type(outcome) is AuthFailed, repr(outcome)


def test_a_wall_before_the_token_endpoint_refuses_no_credentials() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(403, headers=HTML, text=PAGE)

    async def once() -> None:
        auth = TokenAuth(oauth("https://shop.test/token", lambda _: {}))
        remote = Remote(base_url="https://shop.test", auth=auth)
        api = RemoteApi(remote, attempts=1, transport=httpx.MockTransport(answer))
        with pytest.raises(Transient, match="stands before the API"):
            await api.json("GET", "/things")
        await api.aclose()

    asyncio.run(once())


def moving(status: int, target: str, seen: list[httpx.Request]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.scheme == "https":
            return httpx.Response(200, json={"asked": request.content.decode()})
        return httpx.Response(status, headers={"location": target})

    return answer


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_host_that_wants_https_is_followed_with_method_body_and_query(status: int) -> None:
    seen: list[httpx.Request] = []
    answer = moving(status, "https://shop.test/things?page=2", seen)
    outcome, _ = ask(
        answer, "POST", "http://shop.test", params={"page": "2"}, content=b"body", repeat=True
    )
    assert outcome == {"asked": "body"}
    assert [(each.method, str(each.url)) for each in seen] == [
        ("POST", "http://shop.test/things?page=2"),
        ("POST", "https://shop.test/things?page=2"),
    ]


@pytest.mark.parametrize(
    ("base_url", "target", "named"),
    [
        (
            "https://shop.test",
            "https://www.shop.test/things?token=1",
            "https://www.shop.test/things",
        ),
        ("http://shop.test", "https://evil.test/things", "https://evil.test/things"),
        ("https://shop.test", "http://shop.test/things", "http://shop.test/things"),
        ("http://shop.test", "https://shop.test/login", "https://shop.test/login"),
        ("https://shop.test", "/things/", "https://shop.test/things/"),
    ],
)
def test_any_other_redirect_names_its_target_and_carries_no_credentials(
    base_url: str, target: str, named: str
) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(301, headers={"location": target})

    outcome, _ = ask(answer, base_url=base_url)
    assert isinstance(outcome, Moved)
    assert isinstance(outcome, Rejected)
    assert outcome.target == named
    assert named in str(outcome)
    assert "token=1" not in str(outcome)
    assert len(seen) == 1


def test_a_host_that_sends_https_in_a_circle_is_no_endless_story() -> None:
    outcome, _ = ask(
        lambda _: httpx.Response(301, headers={"location": "https://shop.test/things"}),
        base_url="http://shop.test",
    )
    assert isinstance(outcome, Moved)


@pytest.mark.parametrize("status", [204, 205])
def test_no_content_is_nothing_and_no_fault(status: int) -> None:
    outcome, _ = ask(lambda _: httpx.Response(status))
    assert outcome is None


def test_a_retiring_api_is_noticed_from_its_headers() -> None:
    headers = {
        "sunset": "Sat, 31 Oct 2026 23:59:59 GMT",
        "deprecation": "@1767225600",
        "x-shopify-api-deprecated-reason": "https://shopify.dev/api/usage/versioning",
        "link": '<https://api.test/moving>; rel="sunset", <https://api.test/a>; rel="next"',
    }
    outcome, api = ask(lambda _: httpx.Response(200, headers=headers, json={}))
    assert outcome == {}
    (notice,) = api.retirements()
    assert notice.call == "GET /things"
    assert notice.ends_on == "2026-10-31"
    assert notice.said == {
        "sunset": headers["sunset"],
        "deprecation": "@1767225600",
        "x-shopify-api-deprecated-reason": "https://shopify.dev/api/usage/versioning",
        "link": "https://api.test/moving",
    }


@pytest.mark.parametrize(
    "headers", [{}, {"deprecation": "false"}, {"link": '<https://api.test/a>; rel="next"'}]
)
def test_an_api_that_stays_says_nothing(headers: dict[str, str]) -> None:
    _, api = ask(lambda _: httpx.Response(200, headers=headers, json={}))
    assert api.retirements() == ()


@pytest.mark.parametrize(("status", "slow"), [(504, True), (408, True), (524, True), (503, False)])
def test_an_answer_that_took_too_long_is_marked(status: int, slow: bool) -> None:
    outcome, _ = ask(lambda _: httpx.Response(status))
    assert isinstance(outcome, Transient)
    assert outcome.timed_out is slow


def test_a_silence_after_the_request_is_marked_too() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    outcome, _ = ask(answer)
    assert outcome.timed_out


def page_of(answer: Answer) -> Any:
    async def once() -> Any:
        remote = Remote(base_url="https://shop.test", calls_per_second=1000)
        api = RemoteApi(remote, attempts=1, transport=httpx.MockTransport(answer))
        try:
            return await api.json_page("/things", "CONTENT_NOT_FOUND", params={"limit": "10"})
        except ConnectorError as error:
            return error
        finally:
            await api.aclose()

    return asyncio.run(once())


def test_a_list_may_be_empty_in_several_ways() -> None:
    error = {"errors": {"error": [{"code": "CONTENT_NOT_FOUND.GMP_ORDER_API"}]}}
    assert page_of(lambda _: httpx.Response(404, json=error)) == {}
    assert page_of(lambda _: httpx.Response(204)) == {}
    assert page_of(lambda _: httpx.Response(200, json={"list": []})) == {"list": []}


@pytest.mark.parametrize(
    "text", ["no", "<html>Not Found</html>", "[]", '{"message": "no route", "code": 404}']
)
def test_a_path_that_is_wrong_is_no_empty_list(text: str) -> None:
    assert isinstance(page_of(lambda _: httpx.Response(404, text=text)), NotFound)


def test_a_page_of_a_proxy_is_no_empty_list() -> None:
    assert isinstance(page_of(lambda _: httpx.Response(200, html="<html>")), Unknown)
