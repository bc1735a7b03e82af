"""Requests that are made to cost much or to break the reading: refused with a typed error, soon."""

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest

from api_client import Hub, play
from connectors.ebay.simulator import EbaySimulator
from connectors.saleor.simulator import SaleorSimulator
from hub.access.keys import Scope
from world import World

STOCK = "query($skus: [String!]!) { availability(skus: $skus) { sku } }"
SECONDS_MAX = 1.0
ROOT = Path(__file__).parent.parent.parent.parent
SIMULATORS: dict[str, Any] = {"ebay": EbaySimulator, "saleor": SaleorSimulator}
DIGITS = "9" * 5_000
DEEP = 480

LITERALS = (
    f'{{ availability(skus: ["CAM"]) {{ sku }} units(first: {DIGITS}) {{ edges {{ cursor }} }} }}',
    f"query($n: Int = {DIGITS}) {{ units(first: $n) {{ edges {{ cursor }} }} }}",
    f"{{ unit(identifier: {DIGITS}) {{ id }} }}",
    f"{{ availability(skus: {DIGITS}) {{ sku }} }}",
    f"{{ availability(skus: [-{DIGITS}]) {{ sku }} }}",
    f"{{ availability(skus: {DIGITS}.5) {{ sku }} }}",
    f"query($at: DateTime = {DIGITS}) {{ unitAsOf(identifier: \"x\", at: $at) {{ id }} }}",
    f"{{ nodes(ids: [{DIGITS}]) {{ id }} }}",
    "{a" * DEEP + "}" * DEEP,
    "{ availability(skus: " + "[" * DEEP + "]" * DEEP + ") { sku } }",
    "{ availability(skus: " + "{a:" * 300 + "1" + "}" * 300 + ") { sku } }",
    "query($a: " + "[" * DEEP + "Int" + "]" * DEEP + ") { availability(skus: $a) { sku } }",
    "{" + "...{" * DEEP + "a" + "}" * DEEP + "}",
)  # fmt: skip


@pytest.mark.parametrize("document", LITERALS, ids=range(len(LITERALS)))
def test_long_numbers_and_deep_documents_are_refused(world: World, document: str) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        began = time.perf_counter()
        answer = await caller.post(document)
        assert time.perf_counter() - began < SECONDS_MAX
        codes = {each["extensions"]["code"] for each in answer.json()["errors"]}
        assert codes, answer.text
        assert "INTERNAL" not in codes, answer.text[:400]

    play(world, story)


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def wide(items: int) -> Any:
    return [f"SKU-{number}" for number in range(items)]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"skus": wide(300_000)}, "COST_LIMIT"),
        ({"skus": [wide(150_000), wide(150_000)]}, "COST_LIMIT"),
        ({"skus": wide(3), "unused": wide(300_000)}, "COST_LIMIT"),
        ({"skus": {"a": wide(300_000)}}, "COST_LIMIT"),
        ({"skus": deep(400)}, "DEPTH_LIMIT"),
        ({"skus": deep(900)}, "DEPTH_LIMIT"),
    ],
)
def test_large_variables_are_refused_before_they_are_coerced(
    world: World, variables: Any, code: str
) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.STOREFRONT)
        began = time.perf_counter()
        answer = await caller.post(STOCK, **variables)
        took = time.perf_counter() - began
        assert [each["extensions"]["code"] for each in answer.json()["errors"]] == [code]
        assert took < SECONDS_MAX

    play(world, story)


def test_what_is_refused_for_its_length_costs_the_caller(world: World) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.STOREFRONT)
        skus = wide(20_000)  # at once: the bucket fills again while a slow machine reads
        answers = await asyncio.gather(*(caller.post(STOCK, skus=skus) for _ in range(24)))
        codes = {each.json()["errors"][0]["extensions"]["code"] for each in answers}
        assert "RATE_LIMITED" in codes, codes

    play(world, story)


def test_a_body_that_is_nested_too_deeply_is_no_json(world: World) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.STOREFRONT)
        body = b'{"query": "{a}", "variables": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
        headers = {"content-type": "application/json"}
        answer = await caller.http.post("/graphql", content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"

    play(world, story)


@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 400, "1e99999", "1" + "0" * 30])
def test_a_number_that_no_type_has_is_refused_in_variables(world: World, number: str) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        query = "query($n: Int) { units(first: $n) { edges { cursor } } }"
        body = f'{{"query": "{query}", "variables": {{"n": {number}}}}}'
        headers = {"content-type": "application/json"}
        answer = await caller.http.post("/graphql", content=body, headers=headers)
        codes = {each["extensions"]["code"] for each in answer.json()["errors"]}
        assert codes
        assert "INTERNAL" not in codes, answer.text

    play(world, story)


DEEP_JSON = b"[" * 100_000 + b"]" * 100_000
ENCODED = base64.urlsafe_b64encode(DEEP_JSON[:1_500] + DEEP_JSON[-1_500:]).rstrip(b"=").decode()


@pytest.mark.parametrize("connector", ["ebay", "saleor"])
def test_a_signature_nested_too_deeply_is_refused_like_any_wrong_one(
    world: World, connector: str
) -> None:
    simulator = SIMULATORS[connector]()
    world.channel("shop", connector, simulator.settings("https://channel.test"))
    headers = {
        "x-ebay-signature": base64.b64encode(DEEP_JSON[:1_500] + DEEP_JSON[-1_500:]).decode(),
        "saleor-signature": f"{ENCODED}..{ENCODED[:40]}",
    }

    async def story(hub: Hub) -> None:
        stranger = await hub.with_secret(None)
        answer = await stranger.http.post("/webhooks/shop", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "BAD_SIGNATURE")

    play(world, story)


def test_no_connector_decodes_what_it_did_not_write_by_itself() -> None:
    """`json.loads` raises RecursionError; only cursors, which are the hub's own, may use it."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "connectors").rglob("*.py")
        if "json.loads(" in path.read_text()
        and not {"simulator", "simulator.py", "driver.py", "testing", "template"} & {*path.parts}
    }
    own = ("json_fields", "cursors", "time_windows")
    assert found == {f"connectors/toolkit/{name}.py" for name in own}
