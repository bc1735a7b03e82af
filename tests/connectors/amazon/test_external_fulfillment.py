"""An account that serves a location of External Fulfillment: its packages carry serials."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors import AuthFailed, Conflict, NotFound, Rejected, Unknown, WebhookCall
from connectors.amazon.connector import Amazon
from connectors.amazon.external_fulfillment import parse_order
from connectors.amazon.external_returns import parse_return
from connectors.amazon.mapping import parse_notice
from connectors.amazon.simulator.external import LocationDesk
from connectors.amazon.simulator.server import AmazonSimulator
from connectors.registry import SettingsInvalid, connect
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import Contract, example
from hub.vocabulary import (
    Fulfillment,
    FulfillmentLine,
    OrderState,
    Parcel,
    ReturnState,
    StockLevel,
)
from pulling import pull_all

CaseFunction = Callable[[LocationDesk, Amazon], Awaitable[None]]
NO_QUEUE = dict.fromkeys(
    ("queue_url", "queue_region", "queue_access_key_id", "queue_secret_access_key")
)
SHIPMENT = "/externalFulfillment/2024-09-11/shipments/"
PARCEL = {"length_cm": 20, "width_cm": 10.5, "height_cm": 5, "weight_g": 400}
LOCATION = {"location_id": "LOC1", **PARCEL}


def run(
    scenario: CaseFunction,
    simulator: AmazonSimulator | None = None,
    heard: Callable[[httpx.Request], Awaitable[None]] | None = None,
) -> AmazonSimulator:
    """Tell a story of things that happened ten minutes ago: a pass ends two minutes before now."""
    seller = simulator or AmazonSimulator()
    seller.past = timedelta(minutes=10)

    async def reported() -> None:
        async with serve(seller.app) as url:
            settings = seller.settings(url, **NO_QUEUE, external_fulfillment=LOCATION)
            connector: Any = connect("amazon", settings, rate_limits=NoRateLimits())
            if heard is not None:
                connector.api._client.event_hooks["request"].append(heard)
            try:
                await scenario(seller.location_desk, connector)
            finally:
                await connector.api.aclose()
                await seller.aclose()

    asyncio.run(reported())
    return seller


def left(ref: str, *lines: tuple[str, ...], reference: str = "F1", **more: Any) -> Fulfillment:
    """Say that units left; each line is its number and its serials."""
    return Fulfillment(
        reference=reference,
        order_ref=ref,
        lines=tuple(FulfillmentLine(order_line_ref=ref, serials=named) for ref, *named in lines),
        shipped_at=datetime.now(UTC),
        **{"carrier": "UPS", "tracking": "1Z999", **more},
    )


def packed(desk: LocationDesk, ref: str) -> list[tuple[str, dict[str, list[str]]]]:
    """Return the packages of a shipment: how each is doing and its serials by line."""
    return [
        (
            package["status"],
            {
                item["packageLineItemId"]: item.get("serialNumbers", [])
                for item in package["packageLineItems"]
            },
        )
        for package in desk.shipments[ref].get("packages", [])
    ]


def test_settings_that_do_not_go_together_are_refused() -> None:
    settings = AmazonSimulator().settings("https://x.test")
    alone = {**settings, **NO_QUEUE}
    for changes, reported in (
        ({**alone, "external_fulfillment": LOCATION, "easy_ship": PARCEL}, "without easy_ship"),
        ({**alone, "external_fulfillment": {**LOCATION, "weight_g": 4}}, "weight_g"),
        ({**alone, "external_fulfillment": PARCEL}, "location_id"),
    ):
        with pytest.raises(SettingsInvalid, match=reported):
            connect("amazon", changes)


def test_check_reads_the_shipments_and_not_the_orders() -> None:
    simulator = AmazonSimulator()

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        await connector.check()
        assert not [call for call in simulator.calls if "/orders/" in call]
        simulator.tokens.clear()
        simulator.refresh_token = "revoked"
        with pytest.raises(AuthFailed, match=r"Direct to Consumer Shipping \(Restricted\)"):
            await connector.check()

    run(scenario, simulator)


def test_shipments_of_every_status_come_in_page_by_page_and_keep_no_buyer() -> None:
    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        refs = {desk.place({"CAM": 1}) for _ in range(230)}
        other = desk.place({"CAM": 2, "LENS": 1}, status="SHIPLABEL_GENERATED")
        elsewhere = desk.place({"CAM": 1}, locationId="LOC2")
        orders, cursor = await pull_all(connector)
        assert len(orders) == 231
        assert {order.ref for order in orders} == refs | {other}
        assert "Buyer" not in repr(orders)
        assert "Main Rd" not in repr(orders)
        assert {order.state for order in orders} == {OrderState.OPEN}
        (two,) = [order for order in orders if order.ref == other]
        assert [(line.ref, line.sku, line.quantity) for line in two.lines] == [
            ("1", "CAM", 2),
            ("2", "LENS", 1),
        ]
        assert two.number == desk.shipments[other]["shipmentInfo"]["buyerOrderId"]
        desk.change(other, "CANCELLED")
        (changed,) = [each for each in (await pull_all(connector, cursor))[0] if each.ref == other]
        assert changed.state is OrderState.CANCELLED
        assert [line.quantity for line in changed.lines] == [0, 0]
        for missing in (elsewhere, "nothing"):
            with pytest.raises(NotFound):
                await connector.read_order(missing)
        since = datetime.now(UTC) - timedelta(hours=1)
        window = [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        assert {each.ref for each in window} == refs | {other}
        before = since - timedelta(hours=1)
        assert not [each async for each in connector.snapshot_orders(before, since)]

    run(scenario)


def test_a_page_whose_token_died_is_read_anew_and_a_moving_shipment_is_not_lost() -> None:
    simulator = AmazonSimulator()

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        refs = {desk.place({"CAM": 1}) for _ in range(150)}
        first = await connector.pull_orders("")
        while not first.items:
            first = await connector.pull_orders(first.cursor)
        assert first.more
        desk.tokens.clear()
        rest, cursor = await pull_all(connector, first.cursor)
        assert {order.ref for order in (*first.items, *rest)} == refs
        # One that goes back to a status that this walk has read already comes with the next one.
        one = desk.place({"CAM": 1}, status="PACKAGE_CREATED")
        page = await connector.pull_orders(cursor)
        desk.change(one, "ACCEPTED")
        desk.shipments[one]["lastUpdatedDateTime"] = "9"
        rest, cursor = await pull_all(connector, page.cursor)
        assert one not in {order.ref for order in (*page.items, *rest)}
        desk.change(one, "ACCEPTED")
        assert one in {order.ref for order in (await pull_all(connector, cursor))[0]}

    run(scenario, simulator)


def test_a_shipment_leaves_with_the_serials_of_each_line() -> None:
    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        ref = desk.place({"CAM": 2, "LENS": 1})
        reported = left(ref, ("1", "SN1", "SN2"), ("2", "L1"))
        # Whichever step's answer is lost, the repeat goes on with the next one and makes no double.
        for step in (f"POST {SHIPMENT}{ref} ", "/packages", "PUT", "PATCH"):
            simulator.fail_next(Fault.LOST_ANSWER, containing=step)
            with pytest.raises(Unknown):
                await connector.push_fulfillment(reported)
        assert await connector.push_fulfillment(reported) == f"Amazon shipment {ref}"
        assert packed(desk, ref) == [("SHIPPED", {"1": ["SN1", "SN2"], "2": ["L1"]})]
        (package,) = desk.shipments[ref]["packages"]
        assert package["dimensions"]["width"] == {"value": "10.5", "dimensionUnit": "CM"}
        assert package["weight"] == {"value": "400", "weightUnit": "G"}
        assert desk.labels[package["id"]] == {"carrierName": "UPS", "trackingId": "1Z999"}
        order = await connector.read_order(ref)
        assert order.state is OrderState.FULFILLED
        assert [(line.fulfilled, line.serials) for line in order.lines] == [
            (2, ("SN1", "SN2")),
            (1, ("L1",)),
        ]
        calls = len(simulator.calls)
        await connector.push_fulfillment(reported)
        assert len(simulator.calls) == calls + 1, "what was told is only looked at"
        with pytest.raises(Rejected, match="other serials"):
            await connector.push_fulfillment(left(ref, ("1", "SN1", "SN9"), ("2", "L1")))
        assert packed(desk, ref) == [("SHIPPED", {"1": ["SN1", "SN2"], "2": ["L1"]})]

    simulator = AmazonSimulator()
    run(scenario, simulator)


def test_what_amazon_fetches_is_packed_with_serials_and_left_to_amazon() -> None:
    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        ref = desk.place({"CAM": 1}, status="CONFIRMED", shipping="MARKETPLACE")
        await connector.push_fulfillment(left(ref, ("1", "SN1"), carrier=None, tracking=None))
        assert packed(desk, ref) == [("CREATED", {"1": ["SN1"]})]
        assert desk.labels == {}
        # Somebody packed and labelled another one at Amazon, and left the serials to us.
        theirs = desk.place({"CAM": 1}, status="CONFIRMED", shipping="MARKETPLACE")
        package = {**desk.shipments[ref]["packages"][0], "id": "theirs"}
        items = [{"packageLineItemId": "1", "quantity": 1}]
        package |= {"status": "SHIPLABEL_GENERATED", "packageLineItems": items}
        desk.shipments[theirs] |= {"packages": [package], "status": "SHIPLABEL_GENERATED"}
        await connector.push_fulfillment(left(theirs, ("1", "SN2"), reference="F2"))
        assert packed(desk, theirs) == [("SHIPLABEL_GENERATED", {"1": ["SN2"]})]
        assert desk.shipments[theirs]["packages"][0]["id"] == "theirs"
        desk.shipments[theirs]["packages"] = [package, {**package, "id": "more"}]
        with pytest.raises(Rejected, match="packed otherwise"):
            await connector.push_fulfillment(left(theirs, ("1", "SN2"), reference="F2"))

    run(scenario)


def test_what_can_not_be_told_rightly_is_refused_before_anything_is_sent() -> None:
    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        ref = desk.place({"CAM": 2})
        for lines in ([("1", "SN1", "SN2", "SN3")], [("1", "SN1", "SN2"), ("9", "SN3")]):
            with pytest.raises(Rejected, match="as a whole"):
                await connector.push_fulfillment(left(ref, *lines))
        assert "waits for 2 more" in await connector.push_fulfillment(left(ref))
        with pytest.raises(NotFound):
            await connector.push_fulfillment(left("nothing", ("1", "SN1")))
        made = desk.place({"CAM": 1}, rules={"countryOfOrigin": "REQUIRED"})
        with pytest.raises(Rejected, match="countryOfOrigin of CAM"):
            await connector.push_fulfillment(left(made, ("1", "SN1")))
        assert [desk.shipments[each]["status"] for each in (ref, made)] == ["ACCEPTED"] * 2
        desk.shipments[made]["lineItems"][0]["countryOfOrigin"] = "IN"
        await connector.push_fulfillment(left(made, ("1", "SN1")))
        desk.change(ref, "CANCELLED")
        with pytest.raises(Rejected, match="cancelled"):
            await connector.push_fulfillment(left(ref, ("1", "SN1", "SN2")))
        secret = desk.place({"CAM": 1}, rules={"serialNumber": "DISALLOWED"})
        await connector.push_fulfillment(left(secret, ("1", "SN4")))
        assert packed(desk, secret) == [("SHIPPED", {"1": []})]

    run(scenario)


def test_what_a_label_wants_is_said_and_the_serials_are_there_by_then() -> None:
    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        ref = desk.place({"CAM": 1})
        with pytest.raises(Rejected, match="tracking number"):
            await connector.push_fulfillment(left(ref, ("1", "SN1"), tracking=None))
        invoice = desk.shipments[ref]["shipmentRequirements"]["invoice"]
        invoice |= {"requirement": "REQUIRED", "status": "PENDING"}
        with pytest.raises(Rejected, match="invoice"):
            await connector.push_fulfillment(left(ref, ("1", "SN1")))
        assert packed(desk, ref) == [("CREATED", {"1": ["SN1"]})]
        invoice["status"] = "AVAILABLE"
        desk.refuses_labels = "no such carrier"
        with pytest.raises(Rejected, match="no such carrier"):
            await connector.push_fulfillment(left(ref, ("1", "SN1")))
        desk.refuses_labels = ""
        # The serial was wrong and is reported anew before the package leaves.
        await connector.push_fulfillment(left(ref, ("1", "SN2")))
        assert packed(desk, ref) == [("SHIPPED", {"1": ["SN2"]})]

    run(scenario)


def test_the_official_examples_are_read_without_loss() -> None:
    shipments = []
    for case in example("amazon-sp-api", "externalFulfillmentShipments_2024-09-11.sandbox.json"):
        if case["status"] == 200 and case["operationId"] in ("getShipments", "getShipment"):
            shipments += case["response"].get("shipments") or [case["response"]]
    assert len(shipments) >= 3
    for each in shipments:
        order = parse_order({**each, "status": "A_NEW_WORD"})
        assert (order.ref, order.number) == (each["id"], each["shipmentInfo"]["buyerOrderId"])
        assert order.state is OrderState.OPEN
        assert [(line.ref, line.sku, line.quantity) for line in order.lines] == [
            (line["shipmentLineItemId"], line["merchantSku"], line["numberOfUnits"])
            for line in each["lineItems"]
        ]


def test_every_request_keeps_to_the_official_contract() -> None:
    contract = Contract.at("amazon-sp-api", "oas3", "externalFulfillmentShipments_2024-09-11.json")
    sent: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        await connector.check()
        for _ in range(101):
            ref = desk.place({"CAM": 2}, status="CREATED")
        desk.shipments[ref]["lineItems"][0]["hazmatLabels"] = ["CLASS_9"]
        await pull_all(connector)
        since = datetime.now(UTC) - timedelta(days=1)
        assert [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        with pytest.raises(Rejected, match="tracking"):
            await connector.push_fulfillment(left(ref, ("1", "SN1", "SN2"), tracking=None))
        await connector.push_fulfillment(left(ref, ("1", "SN1", "SN3")))
        assert desk.shipments[ref]["packages"][0]["hazmatLabels"] == ["CLASS_9"]

    simulator = run(scenario, heard=keep)
    # The simulator's shipments are such as the contract describes, packed and unpacked.
    schema = contract.spec["components"]["schemas"]["Shipment"]
    for shipment in simulator.location_desk.shipments.values():
        assert list(contract.problems(schema, shipment, "$")) == []
    ours = [each for each in sent if "/externalFulfillment/" in each.url.path]
    for request in ours:
        contract.check(request, "")
    assert len(contract.checked) == len(ours) == 30
    assert set(contract.checked) == {
        "getShipments",
        "getShipment",
        "processShipment",
        "createPackages",
        "updatePackage",
        "generateShipLabels",
        "updatePackageStatus",
    }


def test_returns_to_the_location_are_followed_by_their_status() -> None:
    simulator = AmazonSimulator()

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        returns = simulator.return_desk
        shipment = desk.shipments[desk.place({"CAM": 2, "LENS": 1}, status="DELIVERED")]
        first = returns.take_back(shipment, 0, 2)
        elsewhere = returns.take_back(shipment, 1, 1, returnLocationId="LOC2")
        odd = returns.take_back(shipment, 1, 1)
        returns.returns[odd]["merchantSku"] = "another"
        page, seen, unreadable = await connector.pull_returns(""), dict[str, Any](), list[Any]()
        while True:
            seen |= {each.ref: each for each in page.items}
            unreadable += page.unreadable
            if not page.more:
                break
            page = await connector.pull_returns(page.cursor)
        assert set(seen) == {first}
        assert elsewhere not in seen
        assert [(each.ref, each.field) for each in unreadable] == [(shipment["id"], "merchantSku")]
        back = seen[first]
        assert (back.order_ref, back.state, back.refunded) == (
            shipment["id"],
            ReturnState.OPEN,
            False,
        )
        assert [(e.order_line_ref, e.quantity, e.arrived, e.reason) for e in back.lines] == [
            ("1", 2, 0, "Defective")
        ]
        returns.change(first, "PROCESSED")
        del returns.returns[odd]
        simulator.past = timedelta(minutes=5)
        returns.change(first, "PROCESSED")
        found = await pulled_returns(connector, page.cursor)
        assert (found[first].state, found[first].lines[0].arrived) == (ReturnState.CLOSED, 2)
        assert [each.ref for each in await connector.read_returns(shipment["id"])] == [first]
        with pytest.raises(NotFound):
            await connector.read_returns("nothing")

    run(scenario, simulator)


async def pulled_returns(connector: Amazon, cursor: str) -> dict[str, Any]:
    """Pull until there is no more."""
    found: dict[str, Any] = {}
    while True:
        page = await connector.pull_returns(cursor)
        found |= {each.ref: each for each in page.items}
        cursor = page.cursor
        if not page.more:
            return found


def test_many_returns_come_page_by_page() -> None:
    simulator = AmazonSimulator()

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        shipment = desk.shipments[desk.place({"CAM": 250}, status="SHIPPED")]
        made = {simulator.return_desk.take_back(shipment, 0, 1) for _ in range(230)}
        assert set(await pulled_returns(connector, "")) == made
        assert {each.ref for each in await connector.read_returns(shipment["id"])} == made

    run(scenario, simulator)


def test_returns_keep_to_the_official_contract() -> None:
    contract = Contract.at("amazon-sp-api", "oas3", "externalFulfillmentReturns_2024-09-11.json")
    simulator = AmazonSimulator()

    async def heard(request: httpx.Request) -> None:
        if "/returns" in request.url.path:
            contract.check(request, "")

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        shipment = desk.shipments[desk.place({"CAM": 120}, status="SHIPPED")]
        for _ in range(110):
            simulator.return_desk.take_back(shipment, 0, 1)
        cursor = (await connector.pull_returns("")).cursor
        await pulled_returns(connector, cursor)
        await connector.read_returns(shipment["id"])

    run(scenario, simulator, heard)
    assert set(contract.checked) == {"listReturns"}
    assert len(contract.checked) > 15
    for each in example("amazon-sp-api", "externalFulfillmentReturns_2024-09-11.sandbox.json"):
        for found in each["response"].get("returns", []):
            line = {"shipmentLineItemId": "1", "merchantSku": found["merchantSku"]}
            read = parse_return({**found, "shipment": {"id": "S", "lineItems": [line]}})
            assert read.lines[0].quantity == found["numberOfUnits"]


def also(*parcels: Fulfillment) -> tuple[Parcel, ...]:
    """Return what else of the order left."""
    return tuple(
        Parcel(
            reference=each.reference,
            lines=each.lines,
            shipped_at=each.shipped_at,
            carrier=each.carrier,
            tracking=each.tracking,
        )
        for each in parcels
    )


def test_a_shipment_in_several_packages_is_reported_with_its_last() -> None:
    simulator = AmazonSimulator()

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        ref = desk.place({"CAM": 2, "LENS": 1})
        first = left(ref, ("1", "SN1"), reference="F1", tracking="1Z1")
        second = left(ref, ("1", "SN2"), ("2", "L1"), reference="F2", tracking="1Z2")
        said = await connector.push_fulfillment(first)
        assert "waits for 2 more units" in said
        assert packed(desk, ref) == []
        for _ in range(2):  # also the first one again: nothing is reported twice
            await connector.push_fulfillment(replace(second, other_parcels=also(first)))
            await connector.push_fulfillment(replace(first, other_parcels=also(second)))
            assert packed(desk, ref) == [
                ("SHIPPED", {"1": ["SN1"]}),
                ("SHIPPED", {"1": ["SN2"], "2": ["L1"]}),
            ]
        assert sorted(each["trackingId"] for each in desk.labels.values()) == ["1Z1", "1Z2"]
        assert (await connector.read_order(ref)).state is OrderState.FULFILLED
        corrected = left(ref, ("1", "SN9"), reference="F1", tracking="1Z1")
        with pytest.raises(Rejected, match="other serials"):
            await connector.push_fulfillment(replace(second, other_parcels=also(corrected)))

    run(scenario, simulator)


def test_packages_that_amazon_has_already_are_matched_by_what_they_hold() -> None:
    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        ref = desk.place({"CAM": 2, "LENS": 1}, status="CONFIRMED", shipping="MARKETPLACE")
        items = ({"1": 1}, {"1": 1, "2": 1})
        desk.shipments[ref] |= {
            "status": "PACKAGE_CREATED",
            "packages": [
                {
                    "id": f"theirs-{number}",
                    "weight": {"value": "400", "weightUnit": "G"},
                    "status": "CREATED",
                    "packageLineItems": [
                        {"packageLineItemId": line, "quantity": units, "serialNumbers": ["?"]}
                        for line, units in held.items()
                    ],
                }
                for number, held in enumerate(items)
            ],
        }
        small = left(ref, ("1", "SN1"), reference="F9")
        large = left(ref, ("1", "SN2"), ("2", "L1"), reference="F1")
        await connector.push_fulfillment(replace(small, other_parcels=also(large)))
        assert packed(desk, ref) == [
            ("CREATED", {"1": ["SN1"]}),
            ("CREATED", {"1": ["SN2"], "2": ["L1"]}),
        ]
        whole = left(ref, ("1", "SN1", "SN2"), ("2", "L1"), reference="F5")
        with pytest.raises(Rejected, match="packed otherwise"):
            await connector.push_fulfillment(whole)

    run(scenario)


def test_quantities_of_a_location_are_set_in_their_sequence() -> None:
    simulator = AmazonSimulator()
    contract = Contract.at("amazon-sp-api", "oas3", "externalFulfillmentInventory_2024-09-11.json")

    async def heard(request: httpx.Request) -> None:
        if "/inventory/" in request.url.path:
            contract.check(request, "")

    def level(sku: str, available: int, expected: int | None = None) -> StockLevel:
        return StockLevel(
            listing=f"L-{sku}", sku=sku, available=available, remote={"sku": sku}, expected=expected
        )

    async def scenario(desk: LocationDesk, connector: Amazon) -> None:
        inventory = simulator.inventory_desk
        for number in range(23):
            simulator.add_item(f"S{number}", 100)  # of the listing: not what the location has
            inventory.stock("LOC1", f"S{number}", number)
        simulator.add_item("ELSEWHERE", 5)
        inventory.stock("LOC2", "ELSEWHERE", 5)
        shown = [each async for each in connector.snapshot_stock()]
        assert {each.sku: each.quantity for each in shown} == {f"S{n}": n for n in range(23)}
        levels = [level(f"S{number}", 7, number) for number in range(23)]
        answers = await connector.push_stock([*levels, level("ELSEWHERE", 3)])
        assert {each.listing: type(each.error) for each in answers if each.error} == {
            "L-ELSEWHERE": NotFound
        }
        assert {sku: each["quantity"] for (place, sku), each in inventory.shown.items()} == {
            **{f"S{number}": 7 for number in range(23)},
            "ELSEWHERE": 5,
        }
        assert max(len(each) for each in inventory.calls) == 10
        inventory.stock("LOC1", "S1", 2)
        stale, negative = await connector.push_stock([level("S1", 9, 7), level("S2", -1, 7)])
        assert isinstance(stale.error, Conflict)
        assert stale.error.observed == 2
        assert isinstance(negative.error, Rejected)
        calls = len(inventory.calls)
        await connector.push_stock([level("S3", 7, 7)])
        assert len(inventory.calls) == calls + 1, "what is shown already is not set again"
        # A later update crosses this one: the number that is too low is refused.
        inventory.stock("LOC1", "S4", 7)
        ask = connector.api.json_object

        async def meanwhile(method: str, path: str, **options: Any) -> Any:
            answer = await ask(method, path, **options)
            inventory.stock("LOC1", "S4", 3)
            return answer

        connector.api.json_object = meanwhile  # type: ignore[method-assign]
        (crossed,) = await connector.push_stock([level("S4", 9, 7)])
        assert isinstance(crossed.error, Conflict)
        assert inventory.shown["LOC1", "S4"]["quantity"] == 3

    run(scenario, simulator, heard)
    assert set(contract.checked) == {"batchInventory"}


def test_a_change_of_status_in_the_queue_names_its_shipment() -> None:
    simulator = AmazonSimulator()
    queue = {name: simulator.settings("https://x.test")[name] for name in NO_QUEUE}
    settings = {**simulator.settings("https://x.test"), **queue, "external_fulfillment": LOCATION}
    connector: Any = connect("amazon", settings)

    def notice(**change: str) -> bytes:
        said = {
            "notificationVersion": "1.0",
            "notificationType": "EXTERNAL_FULFILLMENT_SHIPMENT_STATUS_CHANGE",
            "payload": {"externalFulfillmentShipmentNotification": change},
            "notificationMetadata": {"notificationId": "N1"},
        }
        return json.dumps(said).encode()

    topic = "EXTERNAL_FULFILLMENT_SHIPMENT_STATUS_CHANGE"
    ours = notice(locationId="LOC1", shipmentId="S-1", shipmentStatus="ACCEPTED")
    assert [each.order_ref for each in connector.read(topic, ours)] == ["S-1"]
    assert parse_notice(ours)[0] == WebhookCall("N1", topic)  # type: ignore[index]
    assert connector.read(topic, notice(locationId="LOC2", shipmentId="S-1")) == ()
    assert connector.read("ORDER_CHANGE", ours) == ()
    for odd in (b"", b"[]", b"{}", notice(shipmentId="")):
        assert connector.read(topic, odd) == ()
