"""Movements over the API: each done once, each refused once, and a refusal changes nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api_client import Caller, Hub, dump, movement, play
from hub.access.keys import Scope
from hub.ledger import hash_chain
from hub.lifecycle import Action
from world import World

Given = dict[str, Any]

# How a unit comes to where a story begins.
WAYS: dict[str, list[tuple[Action, Given]]] = {
    "received": [],
    "in_stock": [(Action.PUT_AWAY, {})],
    "in_transfer": [(Action.PUT_AWAY, {}), (Action.TRANSFER_OUT, {"place": "SHOP"})],
    "promised": [(Action.PUT_AWAY, {}), (Action.ALLOCATE, {"hold_reference": "cart-1"})],
    "blocked": [(Action.PUT_AWAY, {}), (Action.HOLD, {"hold_kind": "quality"})],
}
WAYS["picked"] = [*WAYS["promised"], (Action.PICK, {})]
WAYS["packed"] = [*WAYS["picked"], (Action.PACK, {})]
WAYS["sold"] = [*WAYS["in_stock"], (Action.SELL, {})]
WAYS["returned"] = [*WAYS["sold"], (Action.ACCEPT_RETURN, {"place": "WH", "reason": "too big"})]
WAYS["condemned"] = [*WAYS["returned"], (Action.CONDEMN, {})]
WAYS["stolen"] = [*WAYS["in_stock"], (Action.REPORT_STOLEN, {})]
WAYS["written_off"] = [*WAYS["condemned"], (Action.WRITE_OFF, {"reason": "crushed"})]

# Every movement but receiving: its arguments, where the unit is before, its status and place after.
MOVEMENTS: list[tuple[str, Given, str, str, str]] = [
    ("putAwayUnits", {"location": "WH-A1"}, "received", "IN_STOCK", "WH-A1"),
    ("moveUnits", {"location": "WH-A1"}, "in_stock", "IN_STOCK", "WH-A1"),
    ("transferOutUnits", {"destination": "SHOP"}, "in_stock", "IN_TRANSFER", "IN-TRANSIT"),
    ("transferInUnits", {"location": "SHOP"}, "in_transfer", "IN_STOCK", "SHOP"),
    ("holdUnits", {"kind": "SALE", "reference": "cart-1"}, "in_stock", "IN_STOCK", "WH"),
    ("holdUnits", {"kind": "QUALITY"}, "in_stock", "IN_STOCK", "WH"),
    ("releaseUnits", {"kind": "SALE"}, "promised", "IN_STOCK", "WH"),
    ("releaseUnits", {"kind": "QUALITY"}, "blocked", "IN_STOCK", "WH"),
    ("pickUnits", {}, "promised", "PICKED", "WH"),
    ("packUnits", {}, "picked", "PACKED", "WH"),
    ("shipUnits", {"carrier": "UPS", "tracking": "1Z9"}, "packed", "SHIPPED", "CUSTOMER"),
    ("sellUnits", {"receipt": "R-1"}, "in_stock", "SOLD", "CUSTOMER"),
    ("acceptReturns", {"location": "RETURNS", "reason": "broken"}, "sold", "RETURNED", "RETURNS"),
    ("inspectUnits", {"outcome": "RESTOCK", "grade": "B"}, "returned", "IN_STOCK", "WH"),
    ("inspectUnits", {"outcome": "REPAIR"}, "returned", "IN_REPAIR", "WH"),
    ("inspectUnits", {"outcome": "QUARANTINE"}, "returned", "RETURNED", "WH"),
    ("inspectUnits", {"outcome": "CONDEMN"}, "returned", "CONDEMNED", "WH"),
    ("writeOffUnits", {"reason": "crushed"}, "condemned", "WRITTEN_OFF", "WH"),
    ("reportLosses", {"loss": "MISSING", "reason": "not there"}, "packed", "MISSING", "WH"),
    ("reportLosses", {"loss": "STOLEN", "reason": "burglary"}, "sold", "STOLEN", "CUSTOMER"),
    ("reportFound", {"location": "SHOP"}, "stolen", "RETURNED", "SHOP"),
]
NAMES = [
    f"{name}-{'-'.join(str(each) for each in given.values())}" for name, given, *_ in MOVEMENTS
]
each_movement = pytest.mark.parametrize(
    ("mutation", "given", "before", "status", "place"), MOVEMENTS, ids=NAMES
)

CAM = {"serial": "SN-1", "product": "CAM"}
TABLE = {
    "receiveUnits": "scanner ops admin",
    "putAwayUnits": "scanner ops admin",
    "moveUnits": "scanner ops admin",
    "transferOutUnits": "scanner ops admin",
    "transferInUnits": "scanner ops admin",
    "holdUnits": "scanner pos ops admin",
    "releaseUnits": "scanner pos ops admin",
    "pickUnits": "scanner ops admin",
    "packUnits": "scanner ops admin",
    "shipUnits": "scanner ops admin",
    "sellUnits": "pos ops admin",
    "acceptReturns": "scanner pos ops admin",
    "inspectUnits": "scanner ops admin",
    "writeOffUnits": "ops admin",
    "reportLosses": "ops admin",
    "reportFound": "scanner ops admin",
}


def bring(world: World, serial: str, state: str) -> None:
    world.receive(serial, put_away=False)
    for action, given in WAYS[state]:
        (verdict,) = world.do(action, serial, **given)
        assert verdict.accepted, verdict


def verdict_of(answer: Any) -> Any:
    assert answer["__typename"] == "CommandResult", answer
    (verdict,) = answer["results"]
    return verdict


def problem_of(answer: Any) -> Any:
    verdict = verdict_of(answer)
    assert (answer["accepted"], answer["refused"], verdict["accepted"]) == (0, 1, False)
    return verdict["problem"]


def as_ops(world: World, story: Callable[[Caller], Awaitable[None]], **settings: Any) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.OPS, name="olga"))

    play(world, told, **settings)


# --- Every movement: done, and refused ------------------------------------------------------


@each_movement
def test_a_movement_is_done_and_answers_with_the_unit_as_it_is_now(
    world: World, mutation: str, given: Given, before: str, status: str, place: str
) -> None:
    bring(world, "SN-1", before)
    version = world.unit("SN-1")["version"]

    async def story(ops: Caller) -> None:
        answer = await ops.command(mutation, ["sn 1"], key="k-1", **given)
        verdict = verdict_of(answer)
        assert (answer["accepted"], answer["refused"], answer["replayed"]) == (1, 0, False)
        assert (verdict["accepted"], verdict["problem"]) == (True, None)
        assert (verdict["index"], verdict["identifier"]) == (0, "sn 1")
        assert verdict["unit"] == {
            "serial": "SN-1",
            "status": status,
            "version": version + 1,
            "location": {"code": place},
        }

    as_ops(world, story)
    (event,) = [each for each in world.history("SN-1") if each["version"] == version + 1]
    assert (event["actor"], event["captured_by"]) == ("olga", "api")
    assert event["reason"] == given.get("reason")
    assert world.unit("SN-1")["grade"] == given.get("grade")
    assert world.read(hash_chain.verify).breaks == ()


@each_movement
def test_a_movement_that_the_unit_does_not_permit_is_refused_and_changes_nothing(
    world: World, mutation: str, given: Given, before: str, status: str, place: str
) -> None:
    bring(world, "SN-1", "written_off")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        problem = problem_of(await ops.command(mutation, ["SN-1"], key="k-1", **given))
        assert (problem["__typename"], problem["code"]) == ("StepNotAllowed", "STEP_NOT_ALLOWED")
        problem = problem_of(await ops.command(mutation, ["SN-404"], key="k-2", **given))
        assert (problem["__typename"], problem["identifier"]) == ("UnknownUnit", "SN-404")

    as_ops(world, story)
    assert dump(world) == untouched


def test_a_unit_is_received_with_its_further_identifiers(world: World) -> None:
    imei = {"scheme": "imei", "value": "490154203237518"}

    async def story(ops: Caller) -> None:
        answer = await ops.command(
            "receiveUnits",
            [
                {"serial": "SN-1", "product": "4006381333931", "identifiers": [imei]},
                {"serial": "SN-2", "product": "LENS"},
            ],
            key="k-1",
            location="WH",
            putAway=True,
            context={"capturedBy": "SCAN", "documentType": "po", "documentRef": "PO-7"},
        )
        assert (answer["accepted"], answer["refused"]) == (2, 0)
        assert [each["unit"]["status"] for each in answer["results"]] == ["IN_STOCK"] * 2

    as_ops(world, story)
    assert world.unit("490154203237518")["serial"] == "SN-1"
    first = world.history("SN-1")[0]
    assert (first["captured_by"], first["document_ref"]) == ("scan", "PO-7")


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ({"serial": "sn 1", "product": "CAM"}, "DuplicateSerial"),
        ({"serial": "SN-2", "product": "NONE"}, "UnknownReference"),
        ({"serial": "", "product": "CAM"}, "InvalidBarcode"),
        ({"serial": "- -", "product": "CAM"}, "InvalidBarcode"),
        ({"serial": "SN\x1d2", "product": "CAM"}, "InvalidBarcode"),
        ({"serial": "SN\x002", "product": "CAM"}, "InvalidBarcode"),
        ({"serial": "9" * 101, "product": "CAM"}, "InvalidBarcode"),
        ({"serial": "4006381333931", "product": "CAM"}, "InvalidBarcode"),
        (
            {"serial": "SN-2", "product": "CAM", "identifiers": [{"scheme": "imei", "value": ""}]},
            "InvalidBarcode",
        ),
    ],
)
def test_an_arrival_that_can_not_be_is_refused_and_changes_nothing(
    world: World, unit: Given, kind: str
) -> None:
    world.receive("SN-1")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        answer = await ops.command("receiveUnits", [unit], key="k-1", location="WH")
        assert problem_of(answer)["__typename"] == kind

    as_ops(world, story)
    assert dump(world) == untouched


def test_one_bad_row_never_loses_the_good_ones(world: World) -> None:
    for serial in ("SN-1", "SN-2"):
        bring(world, serial, "in_stock")
    bring(world, "SN-3", "sold")

    async def story(ops: Caller) -> None:
        read = ["SN-1", "SN-404", "SN-3", "", "SN-2", "SN-2"]
        answer = await ops.command("sellUnits", read, key="k-1", receipt="R-1")
        kinds = [each["problem"] and each["problem"]["__typename"] for each in answer["results"]]
        assert kinds == [
            None,
            "UnknownUnit",
            "StepNotAllowed",
            "InvalidBarcode",
            None,
            "StepNotAllowed",
        ]
        assert [each["index"] for each in answer["results"]] == [0, 1, 2, 3, 4, 5]
        assert (answer["accepted"], answer["refused"]) == (2, 4)

    as_ops(world, story)


def test_a_serial_of_two_products_asks_for_the_product(world: World) -> None:
    world.receive("100", sku="CAM")
    world.receive("100", sku="SAW")

    async def story(ops: Caller) -> None:
        untouched = dump(world)
        problem = problem_of(await ops.command("sellUnits", ["100"], key="a", receipt="R-1"))
        assert (problem["__typename"], problem["skus"]) == ("AmbiguousUnit", ["CAM", "SAW"])
        assert dump(world) == untouched
        named = {"identifier": "100", "sku": "SAW"}
        answer = await ops.command("sellUnits", [named], key="b", receipt="R-1")
        assert answer["accepted"] == 1

    as_ops(world, story)


def test_promised_and_blocked_units_say_so(world: World) -> None:
    bring(world, "SN-1", "promised")
    bring(world, "SN-2", "blocked")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        answer = await ops.command("sellUnits", ["SN-1", "SN-2"], key="k-1", receipt="R-1")
        promised, blocked = (each["problem"] for each in answer["results"])
        assert (promised["__typename"], promised["reference"]) == ("UnitPromised", "cart-1")
        assert blocked["__typename"] == "UnitBlocked"
        assert "unblock" in blocked["allowed"]
        assert dump(world) == untouched
        answer = await ops.command(
            "sellUnits", ["SN-1"], key="k-2", receipt="R-1", holdReference="cart-1"
        )
        assert answer["accepted"] == 1

    as_ops(world, story)


# --- Who may do what ------------------------------------------------------------------------


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_may_do_its_own_movements_and_no_others(world: World, scope: Scope) -> None:
    untouched = dump(world)
    calls: dict[str, tuple[Any, Given]] = {
        name: (["SN-404"], given) for name, given, *_ in reversed(MOVEMENTS)
    }
    unknown = {"serial": "SN-404", "product": "NONE"}
    calls["receiveUnits"] = ([unknown], {"location": "WH"})
    assert calls.keys() == TABLE.keys()

    async def story(hub: Hub) -> None:
        caller = await hub.caller(scope)
        for mutation, (units, given) in calls.items():
            answer = await caller.command(mutation, units, key=mutation, **given)
            if str(scope) in TABLE[mutation].split():
                assert problem_of(answer)["__typename"] in {"UnknownUnit", "UnknownReference"}
                continue
            assert (answer["__typename"], answer["code"]) == ("Forbidden", "FORBIDDEN"), mutation
            # Who has the scope that is named may do it.
            assert answer["needs"] in TABLE[mutation].split()

    play(world, story)
    assert dump(world) == untouched


def test_a_block_is_lifted_by_ops_only(world: World) -> None:
    bring(world, "SN-1", "blocked")
    untouched = dump(world)

    async def story(hub: Hub) -> None:
        for scope in (Scope.STOREFRONT, Scope.SCANNER, Scope.POS):
            caller = await hub.caller(scope)
            answer = await caller.command("releaseUnits", ["SN-1"], key="k", kind="QUALITY")
            assert answer["__typename"] == "Forbidden"
        assert dump(world) == untouched
        ops = await hub.caller(Scope.OPS)
        answer = await ops.command("releaseUnits", ["SN-1"], key="k", kind="QUALITY")
        assert answer["accepted"] == 1

    play(world, story)


@pytest.mark.parametrize("secret", [None, "shk_nobody", ""])
def test_a_stranger_is_refused_before_anything_is_read(world: World, secret: str | None) -> None:
    bring(world, "SN-1", "in_stock")
    untouched = dump(world)

    async def story(hub: Hub) -> None:
        stranger = await hub.with_secret(secret)
        given = {"receipt": "R-1"}
        document = movement("sellUnits", given)
        answer = await stranger.post(document, key="k", units=[{"identifier": "SN-1"}], **given)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    play(world, story)
    assert dump(world) == untouched


# --- Bad input --------------------------------------------------------------------------------

# A mutation, its arguments, and the field that its InvalidInput names.
MALFORMED: list[tuple[str, Given, str]] = [
    ("acceptReturns", {"location": "WH", "reason": " "}, "reason"),
    ("writeOffUnits", {"reason": ""}, "reason"),
    ("writeOffUnits", {"reason": "x" * 201}, "reason"),
    ("sellUnits", {"receipt": ""}, "receipt"),
    ("sellUnits", {"receipt": "9" * 201}, "receipt"),
    ("inspectUnits", {"outcome": "RESTOCK", "grade": ""}, "grade"),
    ("moveUnits", {"location": "CUSTOMER"}, "location"),
    ("holdUnits", {"kind": "QUALITY", "expiresAt": "2026-12-01T00:00:00Z"}, "expiresAt"),
    ("holdUnits", {"kind": "SALE", "expiresAt": "2026-12-01T00:00:00"}, "expiresAt"),
]
CONTEXTS: list[tuple[Given, str]] = [
    ({"occurredAt": "2026-11-02T12:00:01Z"}, "occurredAt"),
    ({"occurredAt": "2026-11-02T11:00:00"}, "occurredAt"),
    ({"documentRef": "9" * 201, "documentType": "po"}, "document_ref"),
    ({"reason": "9" * 201}, "reason"),
]
for _context, _field in CONTEXTS:
    MALFORMED.append(("moveUnits", {"location": "WH-A1", "context": _context}, _field))


@pytest.mark.parametrize(("mutation", "given", "field"), MALFORMED)
def test_a_malformed_value_is_refused_with_its_field_and_changes_nothing(
    world: World, mutation: str, given: Given, field: str
) -> None:
    bring(world, "SN-1", "sold" if mutation == "acceptReturns" else "in_stock")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        answer = await ops.command(mutation, ["SN-1"], key="k-1", **given)
        assert (answer["__typename"], answer["code"]) == ("InvalidInput", "INVALID_INPUT")
        assert answer["field"] == field

    as_ops(world, story)
    assert dump(world) == untouched
    # Nothing was done, so the key is still free.
    assert world.value("SELECT COUNT(*) FROM command") == 0


@pytest.mark.parametrize("count", [0, 20_001])
def test_a_command_takes_one_to_twenty_thousand_units(world: World, count: int) -> None:
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        for mutation, unit, given in (
            ("moveUnits", "SN-1", {"location": "WH"}),
            ("receiveUnits", CAM, {"location": "WH"}),
        ):
            answer = await ops.command(mutation, [unit] * count, key=mutation, **given)
            assert (answer["__typename"], answer["field"]) == ("InvalidInput", "units")

    as_ops(world, story)
    assert dump(world) == untouched


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_has_a_length(world: World, key: str) -> None:
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        answer = await ops.command("receiveUnits", [CAM], key=key, location="WH")
        assert (answer["__typename"], answer["field"]) == ("InvalidInput", "idempotencyKey")

    as_ops(world, story)
    assert dump(world) == untouched


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("moveUnits", {"location": "NOWHERE"}),
        ("holdUnits", {"kind": "SALE", "orderLineId": "none"}),
    ],
)
def test_a_record_that_does_not_exist_is_named(world: World, mutation: str, given: Given) -> None:
    bring(world, "SN-1", "in_stock")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        answer = await ops.command(mutation, ["SN-1"], key="k-1", **given)
        assert answer["__typename"] == "UnknownReference"

    as_ops(world, story)
    assert dump(world) == untouched


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("sellUnits", {"receipt": "R\x001"}),
        ("holdUnits", {"kind": "SALE", "reference": "cart\x001"}),
        ("holdUnits", {"kind": "SALE", "reference": "9" * 201}),
        ("moveUnits", {"location": "WH\x00"}),
        ("moveUnits", {"location": "WH-A1", "context": {"reason": "because\x00"}}),
        (
            "moveUnits",
            {"location": "WH-A1", "context": {"documentType": "9" * 41, "documentRef": "1"}},
        ),
    ],
)
def test_a_text_that_can_not_be_stored_is_refused_and_is_no_bug(
    world: World, backend: str, mutation: str, given: Given
) -> None:
    bring(world, "SN-1", "in_stock")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        answer = await ops.command(mutation, ["SN-1"], key="k-1", **given)
        if answer.get("accepted"):
            assert backend == "sqlite"  # it knows no such limits
            return
        assert answer["__typename"] in {"InvalidInput", "UnknownReference"}
        assert dump(world) == untouched

    as_ops(world, story)


def test_a_unit_that_changed_since_it_was_read_is_a_version_conflict(world: World) -> None:
    bring(world, "SN-1", "in_stock")
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        stale = {"identifier": "SN-1", "expectedVersion": 1}
        problem = problem_of(await ops.command("moveUnits", [stale], key="a", location="WH-A1"))
        assert (problem["__typename"], problem["version"]) == ("VersionConflict", 2)
        assert dump(world) == untouched
        fresh = {"identifier": "SN-1", "expectedVersion": 2}
        answer = await ops.command("moveUnits", [fresh], key="b", location="WH-A1")
        assert answer["accepted"] == 1

    as_ops(world, story)


def test_a_body_that_is_no_question_is_refused_and_changes_nothing(world: World) -> None:
    bring(world, "SN-1", "in_stock")
    untouched = dump(world)
    sell = 'sellUnits(idempotencyKey: "k", units: [{identifier: "SN-1"}], receipt: "R")'
    bodies = [
        (b"{", 400),
        (b"1", 400),
        (b"[]", 400),
        (b'{"query": 1}', 400),
        (b"\xff\xfe", 400),
        (b'{"query": "mutation { sellUnits }"}', 200),
        (b'{"query": "mutation { noSuchThing }"}', 200),
    ]

    async def story(ops: Caller) -> None:
        headers = {"content-type": "application/json"}
        for body, status in bodies:
            answer = await ops.http.post("/graphql", content=body, headers=headers)
            assert answer.status_code == status, body
            assert answer.json()["errors"][0]["extensions"]["code"] != "INTERNAL"
        form = await ops.http.post("/graphql", data={"query": f"mutation {{ {sell} }}"})
        assert form.status_code == 415
        got = await ops.http.get(
            "/graphql", params={"query": f"mutation {{ {sell} {{ __typename }} }}"}
        )
        assert got.status_code == 405

    as_ops(world, story)
    assert dump(world) == untouched


def test_a_body_that_is_too_large_is_refused_before_it_is_read(world: World) -> None:
    untouched = dump(world)

    async def story(ops: Caller) -> None:
        given = {"location": "WH"}
        units = [{**CAM, "serial": f"SN-{number:06}"} for number in range(500)]
        answer = await ops.post(movement("receiveUnits", given), key="k", units=units, **given)
        assert answer.status_code == 413
        assert answer.json()["errors"][0]["extensions"]["code"] == "BODY_LIMIT"

    as_ops(world, story, body_bytes_max=10_000)
    assert dump(world) == untouched


# --- Repeats ------------------------------------------------------------------------------------


def test_a_repeat_is_answered_like_the_first_time_and_changes_nothing(world: World) -> None:
    async def story(ops: Caller) -> None:
        again = []
        for _ in range(2):
            answer = await ops.command(
                "receiveUnits", [CAM, {**CAM, "serial": ""}], key="k", location="WH"
            )
            again.append((answer.pop("replayed"), answer, dump(world)))
        (first_time, first, after), (second_time, second, still) = again
        assert (first_time, second_time) == (False, True)
        assert second == first
        assert still == after

    as_ops(world, story)
    assert world.value("SELECT COUNT(*) FROM event") == 1


@pytest.mark.parametrize(
    ("mutation", "units", "given"),
    [
        ("receiveUnits", [{**CAM, "serial": "SN-2"}], {"location": "WH"}),
        ("receiveUnits", [CAM], {"location": "SHOP"}),
        ("receiveUnits", [CAM], {"location": "WH", "putAway": True}),
        ("receiveUnits", [CAM], {"location": "WH", "context": {"reason": "late"}}),
        ("moveUnits", ["SN-1"], {"location": "WH"}),
    ],
)
def test_a_key_that_was_used_for_other_input_is_refused(
    world: World, mutation: str, units: Any, given: Given
) -> None:
    async def story(ops: Caller) -> None:
        first = await ops.command("receiveUnits", [CAM], key="k", location="WH")
        assert first["accepted"] == 1
        untouched = dump(world)
        answer = await ops.command(mutation, units, key="k", **given)
        assert answer["__typename"] == "IdempotencyKeyReused"
        assert (answer["code"], answer["key"]) == ("IDEMPOTENCY_KEY_REUSED", "k")
        assert dump(world) == untouched

    as_ops(world, story)


def test_keys_of_two_callers_never_meet(world: World) -> None:
    async def story(hub: Hub) -> None:
        for number in (1, 2):
            caller = await hub.caller(Scope.SCANNER)
            unit = {**CAM, "serial": f"SN-{number}"}
            answer = await caller.command("receiveUnits", [unit], key="k", location="WH")
            assert (answer["accepted"], answer["replayed"]) == (1, False)

    play(world, story)


def test_a_shipment_is_told_to_its_channel_once_however_often_it_is_repeated(
    world: World,
) -> None:
    channel = world.channel(settings={})
    world.list_product(channel)
    world.receive("SN-1")
    assert world.accept(channel, world.order())
    line = world.value("SELECT id FROM order_line")

    async def story(ops: Caller) -> None:
        given: Given = {"orderLineId": line}
        for mutation in ("pickUnits", "packUnits"):
            assert (await ops.command(mutation, ["SN-1"], key=mutation, **given))["accepted"] == 1
        for _ in range(2):
            answer = await ops.command(
                "shipUnits", ["SN-1"], key="ship", carrier="UPS", tracking="1Z9", **given
            )
            assert answer["accepted"] == 1

    as_ops(world, story)
    (fact,) = world.rows("SELECT * FROM outbox")
    assert (fact["topic"], fact["state"]) == ("fulfillment", "waiting")
    assert '"SN-1"' in fact["payload"]
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
