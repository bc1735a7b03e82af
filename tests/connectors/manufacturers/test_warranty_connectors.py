"""Five manufacturers: official examples without loss, and what each makes of its own oddities."""

import asyncio
import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors import AuthFailed, Rejected, Unknown, UnreadableRecord
from connectors.apple.connector import Apple
from connectors.apple.simulator import AppleSimulator
from connectors.cisco.connector import Cisco
from connectors.cisco.simulator import CiscoSimulator
from connectors.dell.connector import Dell
from connectors.dell.simulator import DellSimulator
from connectors.hp.connector import Hp
from connectors.hp.simulator import HpSimulator
from connectors.lenovo.connector import Lenovo
from connectors.lenovo.simulator import LenovoSimulator
from connectors.registry import SettingsInvalid, connect
from connectors.remote import RemoteApi
from connectors.testing.manufacturer_simulator import Cover
from connectors.toolkit.rate_limits import NoRateLimits
from connectors.toolkit.warranty_status import today
from contracts import example
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion, WarrantyStatus

COVERED, EXPIRED, NOT_COVERED, UNKNOWN, INVALID = (
    WarrantyStatus.COVERED,
    WarrantyStatus.EXPIRED,
    WarrantyStatus.NOT_COVERED,
    WarrantyStatus.UNKNOWN,
    WarrantyStatus.INVALID,
)
SETTINGS: dict[Any, dict[str, Any]] = {
    Dell: {"client_id": "a", "client_secret": "secret-of-dell"},
    Lenovo: {"client_id": "token-of-lenovo"},
    Hp: {"client_id": "a", "client_secret": "secret-of-hp"},
    Cisco: {"client_id": "a", "client_secret": "secret-of-cisco"},
    Apple: AppleSimulator().settings("https://apple.test"),
}
ANNUAL = Cover("Base", today() - timedelta(days=100), today() + timedelta(days=265))
OLD = Cover("Old", today() - timedelta(days=900), today() - timedelta(days=535))


def ask(
    connector: Any, answer: Any, *questions: tuple[str, str], **settings: Any
) -> tuple[Sequence[Warranty], list[httpx.Request]]:
    """Ask a connector whose remote gives one answer to everything but the question for a token."""
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t-1", "expires_in": 3600})
        seen.append(request)
        return httpx.Response(200, json=answer)

    return play(connector, httpx.MockTransport(reply), *questions, **settings), seen


def play(
    connector: Any, transport: Any, *questions: tuple[str, str], **settings: Any
) -> Sequence[Warranty]:
    valid = connector.settings_model.model_validate(SETTINGS[connector] | settings)
    asked = [WarrantyQuestion(serial=serial, product=product) for serial, product in questions]

    async def scenario() -> Sequence[Warranty]:
        api = RemoteApi(
            connector.remote(valid), attempts=1, transport=transport, rate_limits=NoRateLimits()
        )
        try:
            found: Sequence[Warranty] = await connector(valid, api).lookup_warranty(asked)
            return found
        finally:
            await api.aclose()

    return asyncio.run(scenario())


def at(simulator: Any, connector: Any, *questions: tuple[str, str], **settings: Any) -> Any:
    """Ask a connector of its simulator."""
    transport = httpx.ASGITransport(simulator.app)
    return play(connector, transport, *questions, **simulator.settings("http://twin"), **settings)


def statuses(found: Sequence[Warranty]) -> list[WarrantyStatus]:
    return [each.status for each in found]


# --- Examples -------------------------------------------------------------------------------


def test_dells_example_is_read_without_loss() -> None:
    reported = example("warranty", "dell-asset-entitlements.json")["response"]
    found, (request,) = ask(Dell, reported, ("ABC1234", "X"), ("ZZZ9999", "X"))
    assert str(request.url).endswith("asset-entitlements?servicetags=ABC1234%2CZZZ9999")
    assert found[0] == Warranty(
        serial="ABC1234",
        status=COVERED,
        starts_on=date(2025, 8, 19),
        ends_on=date(2028, 8, 26),
        coverages=(
            Coverage(name="ProSupport", starts_on=date(2025, 8, 19), ends_on=date(2028, 8, 26)),
            Coverage(
                name="Onsite Diagnosis", starts_on=date(2025, 8, 19), ends_on=date(2025, 9, 19)
            ),
        ),
    )
    assert found[1] == Warranty(serial="ZZZ9999", status=INVALID)


def test_lenovos_example_is_read_without_loss() -> None:
    reported = example("warranty", "lenovo-warranty.json")["response"]
    (found,), (request,) = ask(Lenovo, reported, ("PF0EXAMPLE", "20XX"))
    assert request.headers["ClientID"] == "token-of-lenovo"
    assert found == Warranty(
        serial="PF0EXAMPLE",
        status=COVERED,
        registered=True,
        starts_on=date(2025, 1, 10),
        ends_on=date(2028, 1, 9),
        coverages=(
            Coverage(name="3Y Depot", starts_on=date(2025, 1, 10), ends_on=date(2028, 1, 9)),
        ),
    )


def test_hps_example_is_read_without_loss() -> None:
    reported = example("warranty", "hp-jobs-results.json")["response"]
    (found,), (request,) = ask(Hp, reported, ("5CGEXAMPLE", "1A2B3C#ABA"))
    assert json.loads(request.content) == [{"sn": "5CGEXAMPLE", "pn": "1A2B3C#ABA"}]
    assert found.status is COVERED
    assert (found.starts_on, found.ends_on) == (date(2025, 1, 10), date(2028, 1, 9))
    assert found.coverages[0].name == "HP HW Maintenance Onsite Support"


def test_ciscos_example_is_read_and_no_is_not_believed_of_what_may_not_exist() -> None:
    reported = example("warranty", "cisco-sn2info-coverage.json")["response"]
    asked = (("FOCEXAMPLE1", "P"), ("FOCEXAMPLE2", "P"))
    found, (request,) = ask(Cisco, reported, *asked, match_product=False)
    assert request.url.path.endswith("/status/serial_numbers/FOCEXAMPLE1,FOCEXAMPLE2")
    assert found[0].status is COVERED
    assert found[0].ends_on == date(2027, 12, 31)
    assert found[1].status is UNKNOWN


def test_apples_example_is_read_without_loss() -> None:
    reported = example("warranty", "apple-orgdevice-applecare.json")["response"]
    (found,), (request,) = ask(Apple, reported, ("C02EXAMPLE", "MacBook"))
    assert request.url.path == "/v1/orgDevices/C02EXAMPLE/appleCareCoverage"
    cover = Coverage(name="Limited Warranty", starts_on=date(2025, 2, 2), ends_on=date(2026, 2, 2))
    assert found.coverages == (cover,)
    # The days decide, not the word of the day on which the example was written.
    assert found.status is (COVERED if today() <= date(2026, 2, 2) else EXPIRED)


# --- Their oddities -------------------------------------------------------------------------


def test_dells_entitlements_that_are_no_cover_of_the_hardware_are_left_out() -> None:
    simulator = DellSimulator()
    forever = Cover("Digital delivery", OLD.starts_on, today() + timedelta(days=9_000), "DL")
    simulator.add_unit("ABC1234", "XPS", [OLD, forever])
    simulator.add_unit("ABC1235", "XPS", [forever])
    found = at(simulator, Dell, ("abc1234", "XPS"), ("ABC1235", "XPS"), ("NOBODY1", "XPS"))
    assert statuses(found) == [EXPIRED, NOT_COVERED, INVALID]
    assert [each.name for each in found[0].coverages] == ["Old"]
    assert found[0].serial == "abc1234"  # as it was asked


def test_a_serial_that_dell_has_twice_is_unknown() -> None:
    simulator = DellSimulator()
    simulator.add_unit("ABC1234", "XPS", [ANNUAL])
    simulator.add_unit("ABC1234", "Latitude", [OLD])
    assert statuses(at(simulator, Dell, ("ABC1234", "XPS"))) == [UNKNOWN]


def test_more_than_a_call_takes_is_asked_in_several() -> None:
    simulator = DellSimulator()
    serials = [f"T{number:06}" for number in range(250)]
    for serial in serials:
        simulator.add_unit(serial, "XPS", [ANNUAL])
    found = at(simulator, Dell, *[(serial, "XPS") for serial in serials])
    assert [each.serial for each in found] == serials
    assert set(statuses(found)) == {COVERED}
    assert len([call for call in simulator.calls if "entitlements" in call]) == 3


@pytest.mark.parametrize("connector", [Dell, Lenovo, Hp, Cisco])
@pytest.mark.parametrize("serial", ["A,B", "A/B", "A B", "", "é", "A?b=c", "A" * 41, "../x"])
def test_a_serial_that_would_break_a_list_apart_is_not_sent(connector: Any, serial: str) -> None:
    found, seen = ask(connector, [], (serial, "P"))
    assert statuses(found) == [INVALID]
    assert seen == []


def test_apple_gets_a_serial_as_one_part_of_the_path() -> None:
    _, (request,) = ask(Apple, {"data": []}, ("A/../B?x", "P"))
    assert request.url.raw_path.decode().startswith("/v1/orgDevices/A%2F..%2FB%3Fx/appleCare")


def test_lenovo_is_asked_with_the_machine_type_where_serials_repeat() -> None:
    simulator = LenovoSimulator()
    simulator.add_unit("PF01", "21CB000GUS", [ANNUAL])
    simulator.add_unit("PF01", "20XX000GUS", [OLD])
    simulator.add_unit("PF02", "20XX000GUS", [OLD])
    asked = (("PF01", "21CB000GUS"), ("PF01", "20XX000GUS"), ("PF02", "20XX000GUS"))
    assert statuses(at(simulator, Lenovo, *asked)) == [UNKNOWN, UNKNOWN, EXPIRED]
    exact = at(simulator, Lenovo, *asked, machine_types=True)
    assert statuses(exact) == [COVERED, EXPIRED, EXPIRED]
    assert statuses(at(simulator, Lenovo, ("PF01", "21CB000GUS"), machine_types=True)) == [COVERED]
    assert statuses(at(simulator, Lenovo, ("GHOST", "21CB"), ("PF02", "20XX"))) == [
        UNKNOWN,
        EXPIRED,
    ]


def test_an_empty_record_of_lenovo_is_unknown_and_one_without_cover_is_not_covered() -> None:
    bare = {"Serial": "PF01", "InWarranty": False, "Warranty": [], "Contract": []}
    assert statuses(ask(Lenovo, bare, ("PF01", "P"))[0]) == [UNKNOWN]
    sold = bare | {"Shipped": "2025-01-05T00:00:00Z"}
    assert statuses(ask(Lenovo, sold, ("PF01", "P"))[0]) == [NOT_COVERED]


def test_hp_answers_about_the_product_that_was_asked_about() -> None:
    simulator = HpSimulator()
    simulator.add_unit("5CG0000001", "1A2B3C#ABA", [ANNUAL])
    simulator.add_unit("5CG0000002", "ZZZZZZ#ABA", [ANNUAL])
    asked = (("5CG0000001", "1A2B3C#ABA"), ("5CG0000002", "1A2B3C#ABA"), ("5CG0000003", "X"))
    assert statuses(at(simulator, Hp, *asked)) == [COVERED, UNKNOWN, UNKNOWN]
    reported = [{"product": {"serialNumber": "5CG1", "productNumber": "OTHER#ABU"}, "offers": [{}]}]
    assert statuses(ask(Hp, reported, ("5CG1", "1A2B3C#ABA"))[0]) == [UNKNOWN]
    assert statuses(at(simulator, Hp, asked[1], send_product=False)) == [COVERED]


def test_hps_job_is_begun_looked_after_and_fetched() -> None:
    simulator = HpSimulator()
    serials = [f"5CG{number:07}" for number in range(40)]
    for serial in serials[:39]:
        simulator.add_unit(serial, "P", [ANNUAL])
    asked = [WarrantyQuestion(serial=serial, product="P") for serial in (*serials, "no,no")]

    async def scenario() -> None:
        valid = Hp.settings_model.model_validate(simulator.settings("http://twin"))
        api = RemoteApi(
            Hp.remote(valid),  # type: ignore[arg-type]
            attempts=1,
            transport=httpx.ASGITransport(simulator.app),
            rate_limits=NoRateLimits(),
        )
        hp = Hp(valid, api)  # type: ignore[arg-type]
        job = await hp.begin_warranty_job(asked)
        assert await hp.read_warranty_job(job, asked) is None
        assert await hp.read_warranty_job(job, asked) is None
        found = await hp.read_warranty_job(job, asked)
        assert found is not None
        assert statuses(found) == [COVERED] * 39 + [UNKNOWN, INVALID]
        with pytest.raises(Rejected):
            await hp.begin_warranty_job(asked[-1:])
        simulator.gives_jobs_up = True
        with pytest.raises(Rejected, match="failed"):
            await hp.read_warranty_job(job, asked)
        await api.aclose()

    asyncio.run(scenario())


def test_cisco_is_believed_about_serial_and_product_only() -> None:
    simulator = CiscoSimulator()
    simulator.add_unit("FOC1", "WS-C2960", [ANNUAL])
    simulator.add_unit("FOC1", "ISR4321", [OLD])
    simulator.add_unit("FOC2", "ISR4321")
    asked = (("FOC1", "WS-C2960"), ("FOC1", "isr4321"), ("FOC1", "N9K"), ("FOC2", "ISR4321"))
    assert statuses(at(simulator, Cisco, *asked)) == [COVERED, EXPIRED, UNKNOWN, NOT_COVERED]
    assert statuses(at(simulator, Cisco, ("FOC1", "WS-C2960"), match_product=False)) == [UNKNOWN]
    assert statuses(at(simulator, Cisco, ("GHOST", "WS-C2960"))) == [UNKNOWN]


def test_ciscos_summary_is_read_to_its_last_page() -> None:
    simulator = CiscoSimulator()
    for number in range(70):
        simulator.add_unit(f"FOC{number:03}", "ISR", [ANNUAL])
    found = at(simulator, Cisco, *[(f"FOC{number:03}", "ISR") for number in range(70)])
    assert statuses(found) == [COVERED] * 70
    assert len([call for call in simulator.calls if "summary" in call]) == 2
    endless = {
        "pagination_response_record": {"last_index": 999},
        "serial_numbers": [{"sr_no": "FOC1"}],
    }
    with pytest.raises(Unknown, match="do not end"):
        ask(Cisco, endless, ("FOC1", "P"))


def test_a_warranty_that_runs_is_cover_though_ciscos_contract_has_ended() -> None:
    reported = {
        "pagination_response_record": {"last_index": 1},
        "serial_numbers": [
            {
                "sr_no": "FOC1",
                "is_covered": "NO",
                "covered_product_line_end_date": "2020-01-31",
                "service_line_descr": "SMARTnet",
                "warranty_end_date": str(today()),
                "warranty_type_description": "Limited lifetime",
                "orderable_pid_list": [{"orderable_pid": "ISR"}],
            }
        ],
    }
    ((found,), _) = ask(Cisco, reported, ("FOC1", "ISR"))
    assert found.status is COVERED
    assert [each.name for each in found.coverages] == ["SMARTnet", "Limited lifetime"]


def test_apples_pages_are_read_and_a_subscription_has_no_last_day() -> None:
    simulator = AppleSimulator()
    monthly = Cover("AppleCare+", OLD.starts_on, None)
    simulator.add_unit("C02A", "MacBook", [OLD, OLD, OLD, monthly])
    simulator.add_unit("C02B", "MacBook", [OLD])
    simulator.add_unit("C02C", "MacBook")
    found = at(
        simulator, Apple, *[(serial, "MacBook") for serial in ("C02A", "C02B", "C02C", "C02D")]
    )
    assert statuses(found) == [COVERED, EXPIRED, NOT_COVERED, UNKNOWN]
    assert (len(found[0].coverages), found[0].ends_on) == (4, None)


def test_what_was_cancelled_at_apple_ended_that_day() -> None:
    attributes = {
        "description": "AppleCare+", "status": "ACTIVE", "isCanceled": True,
        "startDateTime": "2024-01-01T00:00:00Z", "endDateTime": "2099-01-01T00:00:00Z",
        "contractCancelDateTime": "2024-06-01T00:00:00Z",
    }  # fmt: skip
    reported = {"data": [{"type": "appleCareCoverage", "attributes": attributes}]}
    ((found,), _) = ask(Apple, reported, ("C02A", "P"))
    assert (found.status, found.ends_on) == (EXPIRED, date(2024, 6, 1))


def test_apple_is_asked_with_an_assertion_that_it_believes_once() -> None:
    simulator = AppleSimulator()
    simulator.add_unit("C02A", "MacBook", [ANNUAL])
    assert statuses(at(simulator, Apple, ("C02A", "MacBook"))) == [COVERED]
    assert len(simulator.assertions) == 1
    simulator.revoke()
    with pytest.raises(AuthFailed, match="private key"):
        at(simulator, Apple, ("C02A", "MacBook"))


def test_keys_of_another_kind_are_refused_in_plain_words() -> None:
    other = rsa.generate_private_key(65537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for given in (pem, "-----BEGIN PRIVATE KEY-----", ""):
        with pytest.raises(SettingsInvalid) as refusal:
            connect("apple", SETTINGS[Apple] | {"private_key": given})
        assert "EC P-256" in refusal.value.fields["private_key"]
        assert "BEGIN" not in str(refusal.value)


@pytest.mark.parametrize("connector", [Dell, Lenovo, Hp, Cisco, Apple])
@pytest.mark.parametrize(
    "answer",
    [None, 1, "x", {"serial_numbers": 7}, {"data": 1}, {"data": [{"attributes": None}, 3]},
     [None, 3, {}], [{"Serial": None, "serviceTag": 3, "product": "x", "entitlements": {}}]],
)  # fmt: skip
def test_nonsense_is_no_answer_and_never_a_verdict(connector: Any, answer: Any) -> None:
    try:
        found, _ = ask(connector, answer, ("SN1", "P"))
    except Unknown:
        return
    # Apple's record of a device says something; all the others said nothing of this serial.
    allowed = {UNKNOWN, NOT_COVERED} if connector is Apple else {UNKNOWN}
    read = [each for each in found if not isinstance(each, UnreadableRecord)]
    assert set(statuses(read)) <= allowed
