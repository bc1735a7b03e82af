"""EPCIS: every document is what GS1's schema says, and a refusal finds the event it is about."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import jsonschema
import pytest

from connectors import NotFound, PushedEvent, Rejected, Transient, Unknown
from connectors.epcis.connector import Epcis, EpcisSettings
from connectors.epcis.mapping import BIZ_STEPS, Namer, build_document, build_events, event_id
from connectors.epcis.simulator import EpcisSimulator
from connectors.registry import SettingsInvalid, connect
from connectors.remote import RemoteApi
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import EXAMPLES, SPECS, Contract
from hub.vocabulary import BizStep, Disposition, EventError, LedgerEvent, NamedUnit

AT = datetime(2026, 11, 2, 12, 0, 0, 123_000, tzinfo=UTC)
OWN = "https://id.example.com"
CHECKED: list[str] = []


def schema() -> dict[str, Any]:
    path = SPECS / "epcis" / "EPCIS-JSON-Schema.json"
    if not path.exists():
        pytest.skip(f"no contract at {path}")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


# The schema is loose but for its formats: a word that is no CBV word passes only as a URI.
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("uri")
def _uri(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", value))


@FORMATS.checks("date-time", raises=ValueError)
def _instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def validate(reported: Any) -> None:
    """Hold a document against GS1's own JSON Schema, formats included."""
    checker = jsonschema.Draft7Validator(schema(), format_checker=FORMATS)
    problems = [f"{list(each.path)}: {each.message}" for each in checker.iter_errors(reported)]
    assert problems == []


def event(serial: str = "SN-1", **more: Any) -> LedgerEvent:
    given: dict[str, Any] = {
        "id": str(uuid4()), "serial": serial, "sku": "CAM", "gtin": "04006381333931",
        "action": "commission", "biz_step": "commissioning", "disposition": "active",
        "occurred_at": AT, "read_point": "WH", "location": "WH",
    }  # fmt: skip
    return LedgerEvent(**(given | more))


class FaultyTransport(httpx.AsyncBaseTransport):
    """The way to a simulator, on which every request is validated against the official contract."""

    def __init__(self, simulator: EpcisSimulator) -> None:
        self.inner = httpx.ASGITransport(simulator.app)
        self.contract = Contract.at("epcis", "openapi.json")
        self.captured: list[dict[str, Any]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.url.path == "/capture"
            assert request.headers["content-type"] == "application/json"
            assert request.headers["gs1-epcis-version"] == "2.0.0"
            assert request.headers["gs1-cbv-version"] == "2.0.0"
            behaviours = self.contract.spec["components"]["schemas"]["GS1-Capture-Error-Behaviour"]
            assert request.headers["gs1-capture-error-behaviour"] in behaviours["enum"]
            reported = json.loads(request.content)
            validate(reported)
            self.captured.append(reported)
            CHECKED.append("POST /capture")
        else:
            self.contract.check(request, "")
            CHECKED.append(f"GET {request.url.path.split('/')[1]}")
        return await self.inner.handle_async_request(request)


def play(
    simulator: EpcisSimulator,
    scenario: Callable[[Epcis, FaultyTransport], Awaitable[None]],
    **settings: Any,
) -> None:
    async def reported() -> None:
        valid = EpcisSettings.model_validate(simulator.settings("http://twin") | settings)
        transport = FaultyTransport(simulator)
        api = RemoteApi(
            Epcis.remote(valid), attempts=1, transport=transport, rate_limits=NoRateLimits()
        )
        may_send = len(CHECKED)
        try:
            await scenario(Epcis(valid, api), transport)
            assert (
                len(CHECKED) > may_send or "actions" in settings
            )  # requests went through the check
        finally:
            await api.aclose()

    asyncio.run(reported())


async def reported(
    epcis: Epcis, events: Sequence[LedgerEvent], looks_max: int = 30
) -> dict[str, PushedEvent]:
    """Tell events and look after them until each has its verdict."""
    found = {each.event: each for each in await epcis.push_events(events)}
    for _ in range(looks_max):
        jobs = sorted({each.job for each in found.values() if each.job is not None})
        if not jobs:
            break
        for job in jobs:
            some = [each for each in events if found[each.id].job == job]
            found |= {each.event: each for each in await epcis.read_push(job, some)}
    assert set(found) == {each.id for each in events}
    return found


# --- Documents ------------------------------------------------------------------------------


def test_a_part_of_a_kit_is_an_aggregation_that_the_schema_takes() -> None:
    kit = NamedUnit(serial="KIT-1", sku="KIT", gtin=None)
    enters = event(action="enter_kit", biz_step="assembling", parent=kit)
    leaves = event(action="leave_kit", biz_step="disassembling", parent=kit)

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        found = await reported(epcis, [enters, leaves])
        assert [each.error for each in found.values()] == [None, None]
        first, second = (
            each for document in transport.captured for each in document["epcisBody"]["eventList"]
        )
        assert first["type"] == second["type"] == "AggregationEvent"
        assert (first["action"], second["action"]) == ("ADD", "DELETE")
        assert first["parentID"] == "https://id.example.com/obj/KIT.KIT-1"
        assert first["childEPCs"] == ["https://id.gs1.org/01/04006381333931/21/SN-1"]

    play(EpcisSimulator(), scenario)


@pytest.mark.parametrize("name", sorted(p.name for p in (EXAMPLES / "epcis").glob("*.jsonld")))
def test_the_official_examples_pass_the_same_check(name: str) -> None:
    validate(json.loads((EXAMPLES / "epcis" / name).read_text()))


def test_the_check_refuses_what_the_schema_refuses() -> None:
    right = build_document(build_events(event(), Namer(OWN, {})), AT)
    validate(right)
    for spoil in (
        lambda reported: reported.pop("schemaVersion"),
        lambda reported: reported["epcisBody"]["eventList"][0].update(bizStep="allocating"),
        lambda reported: reported["epcisBody"]["eventList"][0].update(ourWord="x"),
        lambda reported: reported["epcisBody"]["eventList"][0].pop("eventTimeZoneOffset"),
        lambda reported: reported["epcisBody"]["eventList"][0].update(action="MOVE"),
    ):
        wrong = json.loads(json.dumps(right))
        spoil(wrong)
        with pytest.raises(AssertionError):
            validate(wrong)


@pytest.mark.parametrize("step", sorted(set(BizStep) & BIZ_STEPS))
@pytest.mark.parametrize("disposition", sorted(Disposition))
def test_every_event_of_ours_is_a_document_of_gs1(step: str, disposition: str) -> None:
    plain = event(
        biz_step=str(step), disposition=str(disposition), document_type="po", document_ref="P/O 7"
    )
    for namer in (Namer(OWN, {}), Namer(None, {}), Namer(OWN, {"WH": "4012345000009"})):
        validate(build_document(build_events(plain, namer), AT))
    error = EventError(event=str(uuid4()), declared_at=AT, reason="did_not_occur")
    validate(build_document(build_events(replace(plain, error=error), Namer(OWN, {})), AT))


def test_the_names_are_those_of_gs1() -> None:
    (plain,) = build_events(
        event("A/1 +b".replace(" ", ""), document_type="desadv", document_ref="D 7"),
        Namer(OWN + "/", {"WH": "4012345000009"}),
    )
    assert plain["epcList"] == ["https://id.gs1.org/01/04006381333931/21/A%2F1%2Bb"]
    assert plain["readPoint"] == {"id": "https://id.gs1.org/414/4012345000009"}
    assert plain["bizTransactionList"] == [
        {"type": "desadv", "bizTransaction": "https://id.example.com/bt/desadv/D%207"}
    ]
    assert (plain["action"], plain["eventTime"]) == ("ADD", "2026-11-02T12:00:00.123+00:00")
    (own,) = build_events(event("SN 1", gtin=None), Namer(OWN, {"WH": "urn:x:y"}))
    assert own["epcList"] == ["https://id.example.com/obj/CAM.SN%201"]
    assert own["readPoint"] == {"id": "urn:x:y"}
    (bare,) = build_events(event(document_type="po", document_ref="7"), Namer(None, {}))
    assert not {"readPoint", "bizLocation", "bizTransactionList"} & bare.keys()
    (gone,) = build_events(event(biz_step="destroying", disposition="destroyed"), Namer(OWN, {}))
    assert gone["action"] == "DELETE"
    for nameless in (event(gtin=None), event("x" * 21), event("SN 1"), event("é")):
        with pytest.raises(Rejected, match="own_address"):
            build_events(nameless, Namer(None, {}))


def test_a_correction_is_the_error_declared_and_what_was_right() -> None:
    wrong = EventError(event=str(uuid4()), declared_at=AT, reason="incorrect_data")
    right = event(read_point="SHOP")
    correction = event(id=right.id, error=wrong, restated=right)
    declared, corrective = build_events(correction, Namer(OWN, {}))
    assert declared["eventID"] == event_id(wrong.event)
    assert declared["errorDeclaration"] == {
        "declarationTime": "2026-11-02T12:00:00.123+00:00",
        "reason": "incorrect_data",
        "correctiveEventIDs": [event_id(right.id)],
    }
    assert corrective["eventID"] == event_id(right.id)
    assert "errorDeclaration" not in corrective
    validate(build_document([declared, corrective], AT))


# --- Telling --------------------------------------------------------------------------------


def test_a_batch_is_captured_as_a_job_and_told_once() -> None:
    simulator = EpcisSimulator()
    some = [event(f"SN-{number}") for number in range(7)]

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        await epcis.check()
        pending = await epcis.push_events(some)
        assert {each.job for each in pending} == {"job-1001"}
        found = await reported(epcis, some)  # told again while it is under way
        assert all(each.error is None for each in found.values())
        simulator.work_off()
        assert sorted(each["eventID"] for each in simulator.events) == sorted(
            event_id(each.id) for each in some
        )
        captures = len(transport.captured)
        again = await epcis.push_events(some)
        assert {(each.job, each.error, each.answer) for each in again} == {
            (None, None, "was there")
        }
        assert len(transport.captured) == captures

    play(simulator, scenario)


@pytest.mark.parametrize("ignores_proceed", [False, True])
def test_one_refused_event_keeps_no_other_back(ignores_proceed: bool) -> None:
    """Whether the repository takes what it can, or nothing of a batch that holds a wrong one."""
    simulator = EpcisSimulator()
    simulator.ignores_proceed = ignores_proceed
    simulator.refused_epcs = {"https://id.gs1.org/01/04006381333931/21/SN-3"}
    some = [event(f"SN-{number}") for number in range(8)]

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        found = await reported(epcis, some)
        refused = [each for each in some if found[each.id].error is not None]
        assert [each.serial for each in refused] == ["SN-3"]
        error = found[refused[0].id].error
        assert isinstance(error, Rejected)
        assert "not of this partner" in str(error)
        assert len(simulator.events) == 7

    play(simulator, scenario)


def test_a_repeated_capture_that_is_refused_with_500_is_looked_up_and_ends() -> None:
    """QU4RTET says 500 to what has been commissioned already: trying again helps nobody."""
    simulator = EpcisSimulator()
    simulator.dresses_refusals = True
    first = event("SN-1")
    twin_of_first = event("SN-1")  # another event that commissions the same unit
    other = event("SN-2")

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        assert (await reported(epcis, [first]))[first.id].error is None
        found = await reported(epcis, [first, twin_of_first, other])
        assert found[first.id].error is None
        assert found[other.id].error is None
        refusal = found[twin_of_first.id].error
        assert isinstance(refusal, Rejected)
        assert "already been commissioned" in str(refusal)
        assert len(simulator.events) == 2

    play(simulator, scenario)


def test_an_answer_that_was_lost_is_found_though_the_repeat_gets_500() -> None:
    """It was not there when we looked, and came in before we told it again."""
    simulator = EpcisSimulator()
    simulator.dresses_refusals = True
    late = event("SN-1")

    async def scenario(epcis: Epcis, _: FaultyTransport) -> None:
        (there,) = build_events(late, epcis._namer)
        looked, times = epcis._known_ids, 0

        async def look(events: Sequence[LedgerEvent]) -> set[str]:
            nonlocal times
            times += 1
            found = await looked(events)
            if times == 1:
                simulator.events.append(there)  # it came in just after the look
            return found

        epcis._known_ids = look  # type: ignore[method-assign]
        assert await epcis.push_events([late]) == [PushedEvent(late.id, answer="is there")]

    play(simulator, scenario)


def test_another_500_is_a_failure_that_passes() -> None:
    simulator = EpcisSimulator()

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        async def broken(request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                return httpx.Response(500, text="out of memory", request=request)
            return await httpx.ASGITransport(simulator.app).handle_async_request(request)

        transport.inner.handle_async_request = broken  # type: ignore[method-assign]
        with pytest.raises(Transient):
            await epcis.push_events([event()])

    play(simulator, scenario)


def test_a_capture_limit_is_met_by_halves() -> None:
    simulator = EpcisSimulator()
    simulator.capture_limit = 3
    some = [event(f"SN-{number}") for number in range(10)]

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        found = await reported(epcis, some)
        assert all(each.error is None for each in found.values())
        assert len(simulator.events) == 10
        taken = [len(each["epcisBody"]["eventList"]) for each in transport.captured]
        assert taken[0] == 10
        assert min(taken) <= 3

    play(simulator, scenario)


def test_the_pages_of_what_is_there_are_read() -> None:
    simulator = EpcisSimulator()
    some = [event(f"SN-{number}") for number in range(45)]
    for each in some[:40]:
        simulator.events += build_events(each, Namer(OWN, {}))

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        pushed = await epcis.push_events(some)
        assert len([each for each in pushed if each.answer == "was there"]) == 40
        (captured,) = transport.captured
        assert len(captured["epcisBody"]["eventList"]) == 5

    play(simulator, scenario)


def test_an_error_is_declared_though_the_event_itself_is_there() -> None:
    simulator = EpcisSimulator()
    first = event("SN-1", biz_step="shipping", disposition="in_transit")
    wrong = EventError(event=first.id, declared_at=AT, reason="did_not_occur")
    declared = replace(first, id=str(uuid4()), error=wrong)

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        await reported(epcis, [first])
        assert (await reported(epcis, [declared]))[declared.id].error is None
        assert ["errorDeclaration" in each for each in simulator.events] == [False, True]
        again = await epcis.push_events([declared])
        assert again[0].answer == "was there"

    play(simulator, scenario)


def test_a_unit_without_a_name_is_refused_alone() -> None:
    simulator = EpcisSimulator()
    good, bad = event("SN-1"), event("SN-2", gtin=None)

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        found = await reported(epcis, [bad, good])
        assert isinstance(found[bad.id].error, Rejected)
        assert found[good.id].error is None

    play(simulator, scenario, own_address=None)


def test_a_job_that_is_forgotten_is_looked_up() -> None:
    simulator = EpcisSimulator()
    there, lost = event("SN-1"), event("SN-2")
    simulator.events += build_events(there, Namer(OWN, {}))

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        found = await epcis.read_push("job-of-yesterday", [there, lost])
        assert found[0] == PushedEvent(there.id, answer="is there")
        assert isinstance(found[1].error, Unknown)  # to be reported anew

    play(simulator, scenario)


def test_what_is_told_is_what_the_settings_name() -> None:
    simulator = EpcisSimulator()

    async def scenario(epcis: Epcis, transport: FaultyTransport) -> None:
        assert epcis.wants_event(event(action="ship", biz_step="shipping"))
        assert not epcis.wants_event(event(action="move", biz_step="storing"))
        assert not epcis.wants_event(event(action="ship", biz_step="allocating"))

    play(simulator, scenario, actions=["ship"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"base_url": "no address"}, "base_url"),
        ({"locations": {"WH": "123"}}, "locations"),
        ({"batch_max": 0}, "batch_max"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        connect("epcis", {"base_url": "https://epcis.test", **wrong})
    assert field in refusal.value.fields


@pytest.mark.parametrize(
    "answer", [{}, {"epcisBody": 1}, {"epcisBody": {"queryResults": {"resultsBody": {}}}}, []]
)
def test_an_answer_that_holds_no_events_is_none(answer: Any) -> None:
    """Nothing found is an empty list; anything else must not make us tell what is there."""

    async def scenario() -> None:
        valid = EpcisSettings.model_validate({"base_url": "https://epcis.test"})
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        api = RemoteApi(
            Epcis.remote(valid), attempts=1, transport=transport, rate_limits=NoRateLimits()
        )
        with pytest.raises((Unknown, NotFound)):
            await Epcis(valid, api).push_events([event()])
        await api.aclose()

    asyncio.run(scenario())
