"""A real manufacturer's server (QU4RTET) says which serials it issued; the hub believes no other.

The maker commissions a serial by EPCIS; the hub asks the maker's GS1 verification service, which
`warranty_rest` reaches by configuration alone. It says nothing of terms: a genuine serial stays
UNKNOWN to the hub, one that was never issued is INVALID.
"""

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.processes import free_port
from e2e.servers.django_server import served, step, why_not
from e2e.story import CHANNEL, in_thread, working_hub
from serial_hub.demo import Api

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(why_not("quartet") is not None, reason=str(why_not("quartet"))),
]

HERE = Path(__file__).parent / "quartet"
PASSWORD = "not-a-real-password"
GTIN = "03055555555557"
ASKED = (
    "exp=20281231&linkType=verificationService&context=dscsaSaleableReturn"
    "&reqGLN=3055551234562&corrUUID=0a0a0a0a-0000-4000-8000-000000000000"
)
COMMISSIONED = """<?xml version="1.0" encoding="UTF-8"?>
<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:1" xmlns:cbvmda="urn:epcglobal:cbv:mda"
 schemaVersion="1.2" creationDate="2026-11-01T10:00:00Z"><EPCISBody><EventList><ObjectEvent>
<eventTime>2026-11-01T10:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset>
<epcList><epc>urn:epc:id:sgtin:305555.0555555.SN0001</epc></epcList><action>ADD</action>
<bizStep>urn:epcglobal:cbv:bizstep:commissioning</bizStep>
<disposition>urn:epcglobal:cbv:disp:active</disposition>
<readPoint><id>urn:epc:id:sgln:305555.123456.0</id></readPoint>
<bizLocation><id>urn:epc:id:sgln:305555.123456.0</id></bizLocation>
<extension><ilmd><cbvmda:lotNumber>LOT1</cbvmda:lotNumber>
<cbvmda:itemExpirationDate>2028-12-31</cbvmda:itemExpirationDate></ilmd></extension>
</ObjectEvent></EventList></EPCISBody></epcis:EPCISDocument>"""
REGISTER = f"""mutation {{ registerCatalogue(idempotencyKey: "catalogue",
  manufacturers: [{{code: "HAPPY", name: "Happy Pharma"}}],
  products: [{{sku: "PILL", name: "Pill", manufacturer: "HAPPY", modelNumber: "{GTIN}"}}],
  locations: [{{code: "WH", name: "Warehouse", kind: WAREHOUSE}}]) {{ __typename }} }}"""
RECEIVE = """mutation { receiveUnits(idempotencyKey: "r", location: "WH", putAway: true, units: [
  {serial: "SN0001", product: "PILL"}, {serial: "FAKE1", product: "PILL"}]) {
  ... on CommandResult { accepted } ... on Problem { code message } } }"""
SAID = """query($serial: String!) { unit(identifier: $serial) { warranty { status source } } }"""
CLAIM = """mutation($key: String!, $serial: String!) {
  openClaim(idempotencyKey: $key, unit: {identifier: $serial}, fault: "broken") {
    __typename ... on WarrantyClaim { findings { code } } ... on Problem { code message } } }"""


@contextmanager
def quartet(folder: Path) -> Iterator[str]:
    """Run the maker's server on a database of its own."""
    environment = {
        "QUARTET_FOLDER": str(folder),
        "DJANGO_SETTINGS_MODULE": "settings",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = folder / "quartet.log"
    person = ["--noinput", "--username", "hub", "--email", "hub@example.com"]
    for command in (
        ["migrate", "--verbosity", "0"],
        ["create_vrs_data"],
        ["create_epcis_rule"],
        ["createsuperuser", *person],
    ):
        step("quartet", ["-m", "django", *command], where=HERE, environment=environment, log=log)
    with served(
        "quartet",
        "wsgi",
        where=HERE,
        environment=environment,
        log=log,
        port=free_port(),
        ready="/vrs/checkConnectivity",
    ) as url:
        yield url


def commission(url: str) -> None:
    """Let the maker capture the event by which a serial is commission."""
    answer = httpx.post(
        f"{url}/capture/quartet-capture/?rule=EPCIS&run-immediately=true",
        files={"file": ("event.xml", COMMISSIONED)},
        auth=("hub", PASSWORD),
        timeout=60,
    )
    assert answer.status_code == 201, answer.text


def settings(url: str) -> dict[str, Any]:
    return {
        "base_url": url,
        "token": base64.b64encode(f"hub:{PASSWORD}".encode()).decode(),
        "token_prefix": "Basic ",
        "lookup_path": f"/vrs/verify/gtin/{{product}}/lot/LOT1/ser/{{serial}}?{ASKED}",
        "fields": {"status": "data.verified"},
        "status_words": {"true": "unknown", "false": "invalid"},
        "calls_per_second": 50,
    }


async def said_of(api: Api, serial: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            if said := (await api.ask(SAID, serial=serial))["unit"]["warranty"]:
                return said
            await asyncio.sleep(0.1)


def test_a_serial_that_was_never_issued_is_found_out(
    url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("server", "QU4RTET (quartet-epcis 4.1.5, quartet-vrs 2.0.3)")
    record_property("story", "serial commissioned by EPCIS → verified over GS1 VRS → fake denied")

    async def story() -> None:
        running = quartet(tmp_path)
        maker = await in_thread(running.__enter__)
        try:
            await in_thread(commission, maker)
            async with working_hub(url) as hub:
                await hub.api.ask(REGISTER)
                assert (await hub.api.ask(RECEIVE))["receiveUnits"]["accepted"] == 2
                channel = {"code": "maker", "name": "Maker", "connector": "warranty_rest"}
                about = {"manufacturer": "HAPPY", "settings": settings(maker)}
                await hub.api.ask(CHANNEL, channel={**channel, **about})
                genuine, fake = [await said_of(hub.api, each) for each in ("SN0001", "FAKE1")]
                assert (genuine["status"], fake["status"]) == ("UNKNOWN", "INVALID")
                assert {genuine["source"], fake["source"]} == {"maker"}
                denied = [await claimed(hub.api, each) for each in ("SN0001", "FAKE1")]
                assert denied == [False, True]
        finally:
            await in_thread(running.__exit__, None, None, None)

    asyncio.run(story())


async def claimed(api: Api, serial: str) -> bool:
    """Claim the warranty of a unit; says whether the maker's denial is among what was noticed."""
    claim = (await api.ask(CLAIM, key=f"claim-{serial}", serial=serial))["openClaim"]
    assert claim["__typename"] == "WarrantyClaim", claim
    return "MAKER_DENIES" in {each["code"] for each in claim["findings"]}
