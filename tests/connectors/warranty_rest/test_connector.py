"""The configurable warranty connector, against its simulator and against documented shapes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from connectors import (
    AuthFailed,
    Conflict,
    Rejected,
    Transient,
    Unknown,
    UnreadableRecord,
)
from connectors.registry import connect
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.warranty_rest.connector import WarrantyRest
from connectors.warranty_rest.simulator import WarrantySimulator
from hub.vocabulary import Registration, Warranty, WarrantyQuestion, WarrantyStatus

TODAY = datetime(2026, 11, 1, tzinfo=UTC)
CaseFunction = Callable[[WarrantySimulator, WarrantyRest], Awaitable[None]]


def run(scenario: CaseFunction) -> None:
    async def reported() -> None:
        simulator = WarrantySimulator(clock=lambda: TODAY)
        async with serve(simulator.app) as url:
            connector: Any = connect("warranty_rest", simulator.settings(url))
            await scenario(simulator, connector)
            await connector.api.aclose()

    asyncio.run(reported())


def ask(*serials: str) -> list[WarrantyQuestion]:
    return [WarrantyQuestion(serial=serial, product="P-1") for serial in serials]


def sold(serial: str = "SN/1", reference: str = "sale-1") -> Registration:
    return Registration(
        reference=reference, serial=serial, product="P-1", sold_on=date(2026, 10, 31)
    )


def test_each_serial_gets_its_answer_in_order() -> None:
    async def scenario(simulator: WarrantySimulator, connector: WarrantyRest) -> None:
        simulator.add_unit("SN/1", "P-1", date(2027, 1, 1), date(2026, 1, 1))
        simulator.add_unit("SN 2", "P-1", date(2026, 1, 1))
        simulator.add_unit("SN?3", "P-1")
        await connector.check()
        answers = await connector.lookup_warranty(ask("SN?3", "ghost", "SN/1", "SN 2"))
        assert [answer.serial for answer in answers] == ["SN?3", "ghost", "SN/1", "SN 2"]
        assert [answer.status for answer in answers] == [
            WarrantyStatus.NOT_COVERED,
            WarrantyStatus.UNKNOWN,
            WarrantyStatus.COVERED,
            WarrantyStatus.EXPIRED,
        ]
        assert answers[2].ends_on == answers[2].coverages[0].ends_on == date(2027, 1, 1)
        simulator.door.revoke()
        with pytest.raises(AuthFailed):
            await connector.check()

    run(scenario)


def test_what_a_registration_states_is_read_where_the_settings_name_its_place() -> None:
    async def scenario(simulator: WarrantySimulator, connector: WarrantyRest) -> None:
        simulator.add_unit("SN/1", "P-1", date(2027, 1, 1))
        plain = await connector.register_warranty(sold())
        assert (plain.sold_on, plain.product, plain.reference) == (None, "", "")
        names = {name: name for name in ("sold_on", "product", "reference")}
        settings = simulator.settings(str(connector.settings.base_url)) | {"fields": names}
        more: Any = connect("warranty_rest", settings)
        (stated,) = await more.lookup_warranty(ask("SN/1"))
        await more.api.aclose()
        assert (stated.sold_on, stated.product, stated.reference) == (
            date(2026, 10, 31),
            "P-1",
            "sale-1",
        )

    run(scenario)


def test_a_registration_happens_once_even_when_its_answer_gets_lost() -> None:
    async def scenario(simulator: WarrantySimulator, connector: WarrantyRest) -> None:
        simulator.add_unit("SN/1", "P-1", date(2027, 1, 1))
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST")
        warranty = await connector.register_warranty(sold())
        assert (warranty.registered, simulator.sold_on("SN/1")) == (True, date(2026, 10, 31))
        assert await connector.register_warranty(sold()) == warranty
        assert await connector.register_warranty(sold(reference="sale-2")) == warranty

    run(scenario)


def test_errors_of_the_service_are_the_six() -> None:
    async def scenario(simulator: WarrantySimulator, connector: WarrantyRest) -> None:
        simulator.fail_next(Fault.SERVER_ERROR, times=3)
        with pytest.raises(Transient):
            await connector.lookup_warranty(ask("SN1"))
        simulator.fail_next(Fault.LOST_REQUEST, times=3)
        with pytest.raises(Unknown):
            await connector.lookup_warranty(ask("SN1"))

    run(scenario)


def configured(answer: Any, status: int = 200, **settings: Any) -> WarrantyRest:
    given = {"base_url": "https://maker.test/api", "token": "maker-secret", **settings}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=answer))
    connector: Any = connect("warranty_rest", given, transport=transport)
    return connector


def look_up(connector: WarrantyRest, *serials: str) -> Mapping[str, Warranty]:
    answers = asyncio.run(connector.lookup_warranty(ask(*serials)))
    return {answer.serial: answer for answer in answers}


def test_a_batch_with_invalid_tags_is_read_by_configuration() -> None:
    entitlement = {"startDate": "2025-08-19T00:00:00Z", "endDate": "2028-08-26T23:59:59Z"}
    named = {**entitlement, "serviceLevelDescription": "Next day"}
    shorter = {**named, "endDate": "2025-09-19T23:59:59Z"}
    answer = [
        {"serviceTag": "ABC1234", "invalid": False, "entitlements": [named, shorter]},
        {"serviceTag": "ZZZ9999", "invalid": True, "entitlements": []},
    ]
    connector = configured(
        answer,
        batch_path="/asset-entitlements?servicetags={serials}",
        fields={
            "serial": "serviceTag",
            "status": "invalid",
            "coverages": "entitlements",
            "coverage_name": "serviceLevelDescription",
            "coverage_starts_on": "startDate",
            "coverage_ends_on": "endDate",
        },
        status_words={"false": "covered", "true": "invalid"},
    )
    found = look_up(connector, "zzz9999", "ABC1234", "NOBODY")
    assert found["zzz9999"].status is WarrantyStatus.INVALID
    assert found["NOBODY"].status is WarrantyStatus.UNKNOWN
    covered = found["ABC1234"]
    assert (covered.status, covered.ends_on) == (WarrantyStatus.COVERED, date(2028, 8, 26))
    assert [each.name for each in covered.coverages] == ["Next day", "Next day"]


def test_words_paths_and_dates_of_the_maker_are_configuration() -> None:
    item = {"sr_no": "FOC1", "covered": "YES", "coverage": [{"end": "31/12/2099"}]}
    connector = configured(
        {"data": {"serial_numbers": [item]}},
        lookup_path="/coverage/{product}/{serial}",
        fields={
            "items": "data.serial_numbers",
            "serial": "sr_no",
            "status": "covered",
            "ends_on": "coverage.0.end",
        },
        status_words={"yes": "covered", "no": "not_covered"},
        date_format="%d/%m/%Y",
    )
    found = look_up(connector, "FOC1")["FOC1"]
    assert (found.status, found.ends_on) == (WarrantyStatus.COVERED, date(2099, 12, 31))


@pytest.mark.parametrize(
    ("ends_on", "status"),
    [
        ("2099-01-01", WarrantyStatus.COVERED),
        ("2001-01-01", WarrantyStatus.EXPIRED),
        (None, WarrantyStatus.UNKNOWN),
    ],
)
def test_without_a_status_word_the_last_day_decides(
    ends_on: str | None, status: WarrantyStatus
) -> None:
    connector = configured({"ends_on": ends_on}, fields={"status": ""})
    assert look_up(connector, "S")["S"].status is status


@pytest.mark.parametrize("ends_on", ["some day", ["2099-01-01"], 20990101])
def test_a_last_day_that_is_none_is_named(ends_on: object) -> None:
    connector = configured({"ends_on": ends_on}, fields={"status": ""})
    (found,) = asyncio.run(connector.lookup_warranty(ask("S")))
    assert isinstance(found, UnreadableRecord)
    assert (found.ref, found.field) == ("S", "ends_on")


def test_a_word_that_nobody_mapped_is_unknown_and_never_not_covered() -> None:
    connector = configured({"status": "pending review", "ends_on": "2099-01-01"})
    assert look_up(connector, "S")["S"].status is WarrantyStatus.UNKNOWN


def test_one_serial_of_several_products_stays_unknown() -> None:
    item = {"serial": "S", "status": "covered"}
    assert look_up(configured([item, item]), "S")["S"].status is WarrantyStatus.UNKNOWN


def test_a_refused_registration_without_a_record_is_a_conflict() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.headers["idempotency-key"] == "sale-1"
            assert json.loads(request.content) == {
                "reference": "sale-1",
                "sn": "SN/1",
                "product": "P-1",
                "sold_on": "2026-10-31",
            }
            return httpx.Response(409, json={})
        assert request.url.raw_path == b"/api/warranties/SN%2F1"
        return httpx.Response(200, json={"status": "covered", "registered": False})

    given = {
        "base_url": "https://maker.test/api",
        "token": "maker-secret",
        "registration_path": "/registrations",
        "registration_fields": {"serial": "sn"},
    }
    connector: Any = connect("warranty_rest", given, transport=httpx.MockTransport(answer))
    with pytest.raises(Conflict):
        asyncio.run(connector.register_warranty(sold()))


def test_a_maker_without_registrations_says_so() -> None:
    with pytest.raises(Rejected, match="takes no registrations"):
        asyncio.run(configured({}).register_warranty(sold()))
