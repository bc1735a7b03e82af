"""Where connectors may connect: checked at each connection, whatever an address is written as."""

import asyncio
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx
import pytest

from connectors import Rejected, Transient
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from hub.settings import Settings
from hub.webhooks.addresses import Address
from jobs.egress import AddressForbidden, Egress
from serial_hub.compose import runtime_of
from world import KEY, World

PUBLIC, PRIVATE, METADATA = "93.184.216.34", "10.1.2.3", "169.254.169.254"


class Names:
    """A name server of which each answer is the next of a list; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(each) for each in found]


class Net:
    """Notes which addresses are connected to; nobody answers there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached: list[str] = []

        async def connect(_: Any, host: str, *__: Any) -> Any:
            self.reached.append(host)
            raise httpcore.ConnectError("nobody")

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    return Net(monkeypatch)


def ask(url: str, egress: Egress) -> None:
    async def go() -> None:
        async with httpx.AsyncClient(transport=egress.transport()) as client:
            await client.get(url)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("https://shop.example/", [PRIVATE]),
        ("https://shop.example/", [PUBLIC, PRIVATE]),
        ("https://shop.example/", [METADATA]),
        ("https://shop.example/", ["127.0.0.1"]),
        ("https://shop.example/", ["::1"]),
        ("https://shop.example/", ["fd00::1"]),
        ("https://shop.example/", ["::ffff:10.0.0.1"]),
        ("https://shop.example/", ["64:ff9b::a9fe:a9fe"]),
        ("http://shop.example/", [PUBLIC]),
        (f"http://{METADATA}/latest/meta-data", []),
        (f"https://{METADATA}/latest/meta-data", []),
        ("https://127.0.0.1/", []),
        ("https://[::1]/", []),
        ("http://2130706433/", ["127.0.0.1"]),
        ("https://0x7f.1/", ["127.0.0.1"]),
        (f"http://{PUBLIC}/", []),
        ("https://erp.internal.example/", [PRIVATE]),
    ],
)
def test_what_is_not_public_or_not_encrypted_is_never_connected_to(
    net: Net, url: str, resolved: list[str]
) -> None:
    with pytest.raises(AddressForbidden, match="SERIAL_HUB_PRIVATE_HOSTS"):
        ask(url, Egress([".internal"], Names(resolved)))
    assert net.reached == []


@pytest.mark.parametrize(
    ("url", "resolved", "reached"),
    [
        ("https://shop.example/", [PUBLIC], [PUBLIC]),
        ("https://shop.example/", [PUBLIC, "2606:4700::1"], [PUBLIC, "2606:4700::1"]),
        ("http://erp.internal/", [PRIVATE], [PRIVATE]),
        ("http://till.erp.internal/", [PRIVATE], [PRIVATE]),
        ("http://legacy/", [PRIVATE], [PRIVATE]),
        ("http://10.9.0.7/", [], ["10.9.0.7"]),
        ("https://till.example/", ["10.9.0.7"], ["10.9.0.7"]),
        ("http://till.example/", ["10.9.0.7"], ["10.9.0.7"]),
    ],
)
def test_public_hosts_and_those_that_are_named_are_connected_to(
    net: Net, url: str, resolved: list[str], reached: list[str]
) -> None:
    with pytest.raises(httpx.ConnectError):
        ask(url, Egress([".internal", "legacy", "10.9.0.0/16"], Names(resolved)))
    assert net.reached == reached


def test_a_name_that_resolves_to_another_address_later_is_checked_again(net: Net) -> None:
    egress = Egress((), Names([PUBLIC], [PRIVATE]))
    with pytest.raises(httpx.ConnectError):
        ask("https://shop.example/", egress)
    with pytest.raises(AddressForbidden):
        ask("https://shop.example/", egress)
    assert net.reached == [PUBLIC]


def test_a_name_that_does_not_resolve_is_tried_again(net: Net, world: World) -> None:
    async def nowhere(host: str, port: int) -> list[Address]:
        raise OSError("no such name")

    settings = ShopifySimulator().settings("https://shop.example")
    channel = world.channel(connector="shopify", settings=settings)
    runtime = world.runtime(egress=Egress((), nowhere))

    async def story() -> None:
        with pytest.raises(Transient):
            await runtime.connections.of(channel).check()
        await runtime.connections.aclose()

    asyncio.run(story())
    assert net.reached == []


@pytest.mark.parametrize("token", ["access_token", "client_id"])
def test_a_hub_reaches_a_simulator_only_where_the_environment_names_it(
    world: World, token: str
) -> None:
    """By its token, and by one that it would have to fetch."""
    simulator = ShopifySimulator()

    async def story() -> None:
        async with serve(simulator.app) as url:
            settings = simulator.settings(url)
            if token == "client_id":
                del settings["access_token"]
                settings["client_id"] = simulator.app_id
            channel = world.channel(connector="shopify", settings=settings)
            for named in ("", "127.0.0.1"):
                chosen = Settings(database=world.database.url, secret_key=KEY, private_hosts=named)
                runtime = runtime_of(chosen, world.database)
                connector = runtime.connections.of(channel)
                if named:
                    await connector.check()
                else:
                    with pytest.raises(Rejected, match="not an address of the public internet"):
                        await connector.check()
                    assert simulator.calls == []
                    assert simulator.tokens_issued == 0
                await runtime.connections.aclose()

    asyncio.run(story())
    assert simulator.calls
