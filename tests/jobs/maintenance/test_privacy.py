"""What the inbox keeps of people, and for how long."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from connectors import PrivacyKind, PrivacyRequest, ReceivePrivacyRequests
from hub.recalls import people
from hub.storage.sql import Row
from hub.sync import inbox, inbox_retention
from hub.sync.inbox_retention import Retention
from hub.vocabulary import Contact
from jobs import intake
from jobs.maintenance import sweep
from jobs.runtime import Runtime
from recording import Calling, stage
from world import World

ANN = "ann@example.org"


class Private(Calling, ReceivePrivacyRequests):
    """The body of a privacy call is the request itself; other calls name an order in theirs."""

    def read(self, topic: str, body: bytes) -> Any:
        order = body.decode().partition(" ")[0]
        return super().read(topic, order.encode()) if topic.startswith("orders/") else ()

    def privacy_request(self, topic: str, body: bytes) -> PrivacyRequest | None:
        if topic not in ("customers/redact", "customers/data_request", "shop/redact"):
            return None
        said = json.loads(body)
        kinds = {"customers/redact": PrivacyKind.ERASE_CUSTOMER, "shop/redact": "erase_account"}
        kind = PrivacyKind(kinds.get(topic, PrivacyKind.DATA))
        return PrivacyRequest(
            kind=kind,
            customer_ref=said.get("customer", ""),
            order_refs=said.get("orders", []),
            identifiers=[said["email"]] if "email" in said else [],
        )


def arrives(world: World, channel: Row, delivery: str, topic: str, body: bytes) -> None:
    message = inbox.Message(channel["id"], delivery, "webhook", topic, body)
    world.write(lambda tx: inbox.accept(tx, [message], world.now))


def drained(runtime: Runtime) -> None:
    asyncio.run(intake.drain(runtime))


def bodies(world: World) -> dict[str, bytes]:
    rows = world.rows("SELECT delivery, body FROM inbox")
    return {row["delivery"]: bytes(row["body"]) for row in rows}


def story(world: World, topic: str, **said: Any) -> dict[str, bytes]:
    """Take two orders of Ann, one of Bob, one of a dead delivery; then a privacy call."""
    connector, runtime, channel = stage(world, Private)
    world.receive("SN-1", "SN-2", "SN-3")
    for ref in ("a", "b", "c"):
        connector.orders[ref] = world.order(ref)
    arrives(world, channel, "d-a", "orders/create", f"a {ANN}".encode())
    arrives(world, channel, "d-b", "orders/create", b"b by telephone")
    arrives(world, channel, "d-c", "orders/create", b"c bob@example.org")
    drained(runtime)
    arrives(world, channel, "d-dead", "orders/create", f"x {ANN.upper()} {{}}".encode())
    world.write(lambda tx: tx.run("UPDATE inbox SET state = 'dead' WHERE delivery = 'd-dead'"))
    arrives(world, channel, "d-p", topic, json.dumps(said).encode())
    drained(runtime)
    assert world.value("SELECT state FROM inbox WHERE delivery = 'd-p'") == "done"
    return bodies(world)


def test_a_customer_who_is_redacted_is_forgotten_and_nobody_else(world: World) -> None:
    left = story(world, "customers/redact", customer="cust-1", email=ANN, orders=["b"])
    assert left["d-a"] == b""
    assert left["d-b"] == b""
    assert left["d-p"] == b""
    assert left["d-c"] == b"c bob@example.org"
    assert left["d-dead"] == b"x " + b"*" * len(ANN) + b" {}", "a dead delivery can be replayed"
    assert world.open_cases() == [("privacy_request", "erase_customer: cust-1")]
    assert ANN not in str(world.rows("SELECT summary, details FROM exception_case"))


def test_a_request_for_data_erases_nothing_and_is_a_case(world: World) -> None:
    left = story(world, "customers/data_request", customer="cust-1", email=ANN, orders=["b"])
    assert left["d-a"]
    assert left["d-p"] == b""
    assert world.open_cases() == [("privacy_request", "data: cust-1")]
    assert world.value("SELECT severity FROM exception_case") == "high"


def test_a_shop_that_left_leaves_nothing_behind(world: World) -> None:
    left = story(world, "shop/redact")
    assert {left[each] for each in ("d-a", "d-b", "d-c", "d-p")} == {b""}


def test_a_redacted_customer_who_is_a_person_here_is_erased_too(world: World) -> None:
    contact = Contact(name="Ann", email=ANN)
    world.write(lambda tx: people.put(tx, world.context(), world.vault, "cust-1", contact))
    _, runtime, channel = stage(world, Private)
    runtime.connections._unseal = world.vault.open
    arrives(world, channel, "d-p", "customers/redact", b'{"customer": "cust-1"}')
    drained(runtime)
    assert world.value("SELECT contact FROM person") is None
    assert world.value("SELECT erased_because FROM person") == "rec asks for it"
    world.pass_time(seconds=10)  # before that the same content is not looked at again
    arrives(world, channel, "again", "customers/redact", b'{"customer": "cust-1"}')
    drained(runtime)
    assert world.rows("SELECT DISTINCT state FROM inbox") == [{"state": "done"}]


def test_erasing_a_person_reaches_the_inbox_of_every_channel(world: World) -> None:
    _, _, channel = stage(world, Private)
    other = world.channel("other")
    contact = Contact(name="Ann", email=ANN, phone="+4930123456")
    world.write(lambda tx: people.put(tx, world.context(), world.vault, "p-1", contact))
    arrives(world, channel, "done", "orders/create", f"a {ANN}".encode())
    world.write(lambda tx: tx.run("UPDATE inbox SET state = 'done'"))
    arrives(world, other, "waits", "orders/create", b'{"id": 1, "phone": "+4930123456"}')
    arrives(world, other, "bob", "orders/create", b'{"id": 2}')
    erase = lambda tx: people.erase(  # noqa: E731
        tx, world.context(), "p-1", "asked for it", world.vault.open
    )
    world.write(erase)
    assert bodies(world) == {
        "done": b"",
        "waits": b'{"id": 1, "phone": "***********"}',
        "bob": b'{"id": 2}',
    }


def test_bodies_are_kept_for_days_and_ids_for_months(world: World) -> None:
    _, runtime, channel = stage(world, Private)
    arrives(world, channel, "odd", "nothing/known", b"body")
    drained(runtime)
    arrives(world, channel, "waits", "nothing/known", b"waiting")

    def swept() -> dict[str, bytes]:
        asyncio.run(sweep.sweep(runtime))
        return bodies(world)

    assert swept()["odd"] == b"body"
    world.pass_time(hours=73)
    assert swept() == {"odd": b"", "waits": b"waiting"}
    world.pass_time(days=181)
    assert swept() == {"waits": b"waiting"}


@pytest.mark.parametrize(("hours", "left"), [(0, b""), (24, b"body")])
def test_the_retention_is_a_setting(world: World, hours: int, left: bytes) -> None:
    _, runtime, channel = stage(world, Private)
    arrives(world, channel, "odd", "nothing/known", b"body")
    drained(runtime)
    world.pass_time(seconds=1)
    kept = Retention(bodies=timedelta(hours=hours))
    world.write(lambda tx: inbox_retention.prune(tx, kept, world.now, limit=10))
    assert bodies(world) == {"odd": left}


def test_a_short_text_empties_nothing(world: World) -> None:
    _, _, channel = stage(world, Private)
    arrives(world, channel, "d", "orders/create", b"a bob")
    assert world.write(lambda tx: inbox_retention.forget_person(tx, ["a", "", "bob"])) == 0
