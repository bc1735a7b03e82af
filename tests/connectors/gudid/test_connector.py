"""The GUDID connector: both sources give the same record; a similar device is not accepted."""

import asyncio
import re
from datetime import date
from typing import Any

import httpx
import pytest

from connectors import AuthFailed, Rejected, Unknown
from connectors.gudid.connector import Gudid, GudidSettings
from connectors.gudid.simulator import GudidSimulator
from connectors.registry import SettingsInvalid, connect
from connectors.remote import RemoteApi
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import SPECS, example
from hub.vocabulary import Device, DeviceQuestion

DI = "00887517567062"


def ask(
    transport: httpx.AsyncBaseTransport, identifier: str = DI, **settings: Any
) -> Device | None:
    async def scenario() -> Device | None:
        valid = GudidSettings.model_validate({"base_url": "http://fda.test", **settings})
        api = RemoteApi(
            Gudid.remote(valid), attempts=1, transport=transport, rate_limits=NoRateLimits()
        )
        try:
            question = DeviceQuestion(identifier=identifier)
            return await Gudid(valid, api).lookup_device(question)
        finally:
            await api.aclose()

    return asyncio.run(scenario())


def answering(reported: Any, status: int = 200) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, json=reported))


@pytest.mark.parametrize("name", ["header", "anatomy"])
def test_the_official_record_is_read_without_loss(name: str) -> None:
    record = example("fda-udi", "device-udi-example.json")[name]
    found = ask(answering({"results": [record]}), source="openfda")
    assert found == Device(
        identifier=DI,
        brand="CoRoent",
        company="Nuvasive, Inc.",
        model="5163284",
        description="CoRoent Ant TLIF PEEK, 16x13x28mm 4°",
        status="In Commercial Distribution",
        implantable=False,
        single_use=False,
        prescription=True,
        sterile=False,
        bears_serial=False,
        bears_lot=True,
        bears_expiry=False,
        mri_safety="Labeling does not contain MRI Safety Information",
        terms=("Metallic spinal fusion cage, non-sterile",),
        product_codes=("MAX", "MQP"),
        published_on=date(2015, 10, 24),
    )


def test_every_field_that_is_read_is_one_of_the_official_list() -> None:
    path = SPECS / "fda-udi" / "deviceudi-fields.yaml"
    if not path.exists():
        pytest.skip(f"no list at {path}")
    known = set(re.findall(r"^ +([a-z_]+):", path.read_text(), re.MULTILINE))
    read = {
        "brand_name", "company_name", "version_or_model_number", "catalog_number",
        "device_description", "commercial_distribution_status", "gmdn_terms", "implantable",
        "is_single_use", "is_rx", "sterilization", "is_sterile", "has_serial_number",
        "has_lot_or_batch_number", "has_expiration_date", "mri_safety", "product_codes",
        "publish_date", "identifiers", "id",
    }  # fmt: skip
    assert read <= known


def test_both_doors_tell_the_same() -> None:
    simulator = GudidSimulator()
    simulator.register(DI, "CoRoent", catalog_number="C-1", version_or_model_number="5163284")
    transport = httpx.ASGITransport(simulator.app)
    sources = [ask(transport, **simulator.settings("http://fda.test", source)) for source in
             ("openfda", "accessgudid")]  # fmt: skip
    assert sources[0] == sources[1]
    assert sources[0] is not None
    assert (sources[0].catalogue_number, sources[0].bears_lot) == ("C-1", True)
    for source in ("openfda", "accessgudid"):
        assert (
            ask(transport, "00887517567079", **simulator.settings("http://fda.test", source))
            is None
        )


def test_what_a_search_finds_beside_the_device_is_not_the_device() -> None:
    other = {"brand_name": "Other", "identifiers": [{"id": "00887517567079"}]}
    assert ask(answering({"results": [other]}), source="openfda") is None
    reported = {"gudid": {"device": {"brandName": "Other", "identifiers": {"identifier": []}}}}
    assert ask(answering(reported)) is None


@pytest.mark.parametrize("identifier", ["", "1", 'x" OR *', "a" * 24, "0088751756706é", "../12345"])
def test_what_can_be_no_identifier_is_not_sent(identifier: str) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    with pytest.raises(Rejected):
        ask(httpx.MockTransport(refuse), identifier, source="openfda")


@pytest.mark.parametrize("source", ["openfda", "accessgudid"])
@pytest.mark.parametrize("reported", [[], {}, {"results": None}, {"gudid": 3}, 7, None])
def test_nonsense_does_not_turn_into_not_registered(source: str, reported: Any) -> None:
    try:
        found = ask(answering(reported), source=source)
    except Unknown:
        return
    assert reported == {"results": None}
    assert found is None


def test_a_key_that_is_refused_is_told() -> None:
    simulator = GudidSimulator()
    with pytest.raises(AuthFailed):
        ask(httpx.ASGITransport(simulator.app), source="openfda", api_key="wrong-openfda-key")
    assert ask(httpx.ASGITransport(simulator.app), source="openfda") is None  # none is needed


def test_settings_are_checked() -> None:
    for wrong in ({"source": "cellar"}, {"calls_per_second": 5}, {"surprise": 1}):
        with pytest.raises(SettingsInvalid):
            connect("gudid", wrong)
