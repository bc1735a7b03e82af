"""A real registry of contracts (Nautobot) says until when a unit is covered.

Its lifecycle app keeps contracts; one that is numbered by the serial of its unit is found by
`warranty_rest` by configuration alone. What two contracts share stays unknown.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from connectors import AuthFailed
from connectors.registry import connect
from e2e.private_postgres import private_server
from e2e.processes import free_port
from e2e.servers.django_server import python_of, served, step, why_not
from e2e.story import CHANNEL, REGISTER, in_thread, working_hub
from serial_hub.demo import Api

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_not("nautobot") is not None, reason=str(why_not("nautobot"))),
]

HERE = Path(__file__).parent / "nautobot"
CONTRACTS = "/api/plugins/nautobot-device-lifecycle-mgmt/contract/"
TODAY = date.today()  # noqa: DTZ011 - Nautobot keeps days of this machine
LATER, EARLIER = TODAY + timedelta(days=400), TODAY - timedelta(days=30)
MAKE_TOKEN = """from nautobot.users.models import Token, User
print("TOKEN", Token.objects.create(user=User.objects.get(username="hub")).key)
"""
RECEIVE = """mutation { receiveUnits(idempotencyKey: "r", location: "WH", putAway: true, units: [
  {serial: "SN-0001", product: "CAM-X1"}, {serial: "SN-0002", product: "CAM-X1"},
  {serial: "SN-0003", product: "CAM-X1"}, {serial: "SN-0004", product: "CAM-X1"}]) {
  ... on CommandResult { accepted } ... on Problem { code message } } }"""
SAID = """query($serial: String!) { unit(identifier: $serial) { warranty {
  status source startsOn endsOn } } }"""


@dataclass(frozen=True)
class Nautobot:
    """A running server, and a token that opens it."""

    url: str
    token: str

    def make(self, path: str, **body: Any) -> str:
        """Put something on record; returns its id."""
        headers = {"authorization": f"Token {self.token}"}
        answer = httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=120)
        assert answer.status_code == 201, f"{path}: {answer.text[:500]}"
        return str(answer.json()["id"])

    def settings(self, token: str = "") -> dict[str, Any]:
        """Return the settings by which `warranty_rest` reads its contracts."""
        return {
            "base_url": self.url,
            "token": token or self.token,
            "token_prefix": "Token ",
            "lookup_path": f"{CONTRACTS}?number={{serial}}",
            "fields": {
                "items": "results",
                "serial": "number",
                "status": "",
                "starts_on": "start",
                "ends_on": "end",
            },
            "calls_per_second": 50,
        }


@contextmanager
def nautobot(folder: Path) -> Iterator[Nautobot]:
    """Run Nautobot on a PostgreSQL of its own."""
    with private_server() as postgres:
        port = free_port()
        address = postgres.listen(port)
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE nautobot")
        environment = {
            "NAUTOBOT_ROOT": str(folder),
            "NAUTOBOT_CONFIG": str(HERE / "nautobot_config.py"),
            "NAUTOBOT_DATABASE_PORT": str(port),
            "DJANGO_SUPERUSER_PASSWORD": "not-a-real-password",
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        log = folder / "nautobot.log"

        def do(*command: str, told: str = "") -> str:
            whole = [str(python_of("nautobot").with_name("nautobot-server")), *command]
            return step(
                "nautobot", whole, where=folder, environment=environment, log=log, told=told
            )

        do("migrate", "--run-syncdb", "--verbosity", "0")
        do("createsuperuser", "--noinput", "--username", "hub", "--email", "hub@example.com")
        said = do("shell", told=MAKE_TOKEN)
        token = said.split("TOKEN ")[1].split()[0]
        with served(
            "nautobot",
            "nautobot.core.wsgi",
            where=folder,
            environment=environment,
            log=log,
            port=free_port(),
            ready="/health/?format=json",
        ) as url:
            yield Nautobot(url, token)


def put_on_record(registry: Nautobot) -> None:
    """Register contracts: in force, ended, and two that share a serial."""
    provider = registry.make(f"{CONTRACTS.replace('contract', 'provider')}", name="Lumen Care")
    for name, serial, ends_on in (
        ("Care 1", "SN-0001", LATER),
        ("Care 2", "SN-0002", EARLIER),
        ("Care 3", "SN-0003", LATER),
        ("Care 3 again", "SN-0003", EARLIER),
    ):
        registry.make(
            CONTRACTS,
            name=name,
            number=serial,
            start="2025-01-01",
            end=ends_on.isoformat(),
            support_level="warranty",
            contract_type="Hardware",
            provider=provider,
        )


async def said_of(api: Api, serial: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            if said := (await api.ask(SAID, serial=serial))["unit"]["warranty"]:
                return said
            await asyncio.sleep(0.1)


def test_a_registry_of_contracts_says_who_is_covered(
    url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("server", "Nautobot 3.2.7 (nautobot-device-lifecycle-mgmt 4.2.1)")
    record_property("story", "contracts on record → looked up by serial → covered, ended, unknown")

    async def story() -> None:
        running = nautobot(tmp_path)
        registry = await in_thread(running.__enter__)
        try:
            await in_thread(put_on_record, registry)
            await a_wrong_token_is_told(registry)
            async with working_hub(url) as hub:
                await hub.api.ask(REGISTER)
                assert (await hub.api.ask(RECEIVE))["receiveUnits"]["accepted"] == 4
                channel = {"code": "registry", "name": "Registry", "connector": "warranty_rest"}
                about = {"manufacturer": "LUMEN", "settings": registry.settings()}
                await hub.api.ask(CHANNEL, channel={**channel, **about})
                said = [await said_of(hub.api, f"SN-{number:04}") for number in range(1, 5)]
                assert [each["status"] for each in said] == [
                    "COVERED",
                    "EXPIRED",
                    "UNKNOWN",
                    "UNKNOWN",
                ]
                assert (said[0]["startsOn"], said[0]["endsOn"]) == ("2025-01-01", str(LATER))
                assert {each["source"] for each in said} == {"registry"}
        finally:
            await in_thread(running.__exit__, None, None, None)

    asyncio.run(story())


async def a_wrong_token_is_told(registry: Nautobot) -> None:
    wrong: Any = connect("warranty_rest", registry.settings("0" * 40))
    with pytest.raises(AuthFailed):
        await wrong.check()
    await wrong.api.aclose()
