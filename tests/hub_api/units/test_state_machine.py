"""Everything that can be commanded, in any order, on both databases: what always holds, holds.

Hypothesis chooses the commands, right ones and wrong ones; after each of them the eight invariants
of the ledger are looked at. A failure prints the steps and the seed that plays them again.
"""

import asyncio
import inspect
import os
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import postgres
from api_client import Caller, Hub
from commanding import KEY, PLACES, SERIALS, Situation, document, mutations
from hub.access.keys import Scope
from hub.clock import moment
from hub.fulfillment import expiry
from hub.identifiers.numbers import canonical
from hub.ledger import hash_chain
from hub.lifecycle import LIFECYCLE, Action, Status, allowed
from hub.proof import checkpoints, conservation
from hub.proof.checkpoints import Signer
from hub.storage.database import Database, open_database
from hub.storage.sql import Transaction
from hub.sync import channels, listings
from jobs import relay
from recording import stage
from world import World

# They are about the hub itself or its channels, not about units; each has tests of its own.
ELSEWHERE = {
    "assignCase", "bindListings", "checkChannel", "createApiKey", "decideDuplicateOrder",
    "dismissDifference", "healDifference", "healDifferences",
    "pauseChannel", "putAlternatives", "putDecisionRule",
    "reconcile", "registerCatalogue", "registerChannel",
    "removeDecisionRule", "replayDeadLetters", "resolveCase", "resumeChannel", "revokeApiKey",
}  # fmt: skip
EXAMPLES = int(os.environ.get("SERIAL_HUB_TEST_EXAMPLES", "8"))
STEPS = 50
# Making a failure small takes minutes: asked for when there is one.
PHASES = tuple(Phase) if os.environ.get("SERIAL_HUB_TEST_SHRINK") else (Phase.reuse, Phase.generate)
COMMANDS = sorted(set(mutations()) - ELSEWHERE)


# An order that is not whole is told so and not packed: nothing happened, the key stays free.
FREE = {"packOrder"}
# How the API does what the table permits.
WAYS = {
    Action.PUT_AWAY: ["putAwayUnits"],
    Action.MOVE: ["moveUnits"],
    Action.TRANSFER_OUT: ["transferOutUnits"],
    Action.TRANSFER_IN: ["transferInUnits"],
    Action.HOLD: ["holdUnits"],
    Action.UNBLOCK: ["releaseUnits"],
    Action.ALLOCATE: ["holdUnits"],
    Action.RELEASE: ["releaseUnits"],
    Action.PICK: ["pickUnits"],
    Action.PACK: ["packUnits"],
    Action.SHIP: ["shipUnits"],
    Action.SELL: ["sellUnits"],
    Action.ACCEPT_RETURN: ["acceptReturns", "checkReturn", "openClaim"],
    Action.RESTOCK: ["inspectUnits"],
    Action.TAKE_IN: ["checkInForService"],
    Action.HAND_BACK: ["returnToCustomer"],
    Action.ENTER_KIT: ["assembleKit"],
    Action.LEAVE_KIT: ["disassembleKit"],
    Action.FIND: ["reportFound"],
    Action.MAINTAIN: ["recordService"],
    Action.COLLECT: ["collectUnits"],
    Action.LOSE: ["reportLosses"],
    Action.CHANGE_OWNER: ["changeOwner"],
    Action.SENSE: ["recordReadings"],
}

# What belongs together, in its order.
STORIES = (
    ("sellUnits", "checkReturn", "acceptReturn", "routeReturn", "recordRefund"),
    ("sellUnits", "openClaim", "decideClaim", "replaceUnderClaim", "disputeClaim", "closeClaim"),
    ("openCount", "countUnits", "compareCount", "adjustCount", "closeCount"),
    ("openCount", "cancelCount"),
    ("announceShipment", "receiveUnits", "closeAdvanceShipNotice"),
    ("assembleKit", "replaceKitMember", "disassembleKit"),
    ("assembleKit", "sellUnits", "returnKit", "inspectUnits"),
    ("reportFailedCapture", "resolveFailedCapture"),
    ("grantCover", "revokeCover"),
    ("linkIdentifier", "retireIdentifier"),
    ("sellUnits", "activateUnits", "registerUnit", "checkInForService", "recordService",
     "returnToCustomer"),
    ("holdUnits", "pickUnits", "packUnits", "shipUnits", "acceptReturns", "inspectUnits"),
    ("receiveUnits", "putAwayUnits", "transferOutUnits", "transferInUnits", "correctEvent"),
    ("commissionUnits", "receiveUnits", "writeOffUnits"),
    ("openRecall", "receiveUnits", "acceptReturns", "resolveRecallUnits", "closeRecall"),
    ("holdUnits", "substituteUnit", "packOrder", "collectUnits", "exchangeUnit"),
    ("reportLosses", "reportFound", "inspectUnits", "transferTitle"),
    ("recordCosts", "reverseCost"),
    ("recordReadings", "linkLicense", "unlinkLicense"),
    ("sellUnits", "changeOwner", "acceptReturns"),
    ("receiveUnits", "mergeUnits", "moveUnits", "splitUnit"),
    ("linkIdentifier", "mergeUnits", "openRecall", "splitUnit"),
    ("startTracking", "captureUnserializedStock", "moveUnits"),
)  # fmt: skip


def machine(
    open_empty: Callable[[], Database], close: Callable[[Database], None], done: Counter[str]
) -> type[RuleBasedStateMachine]:
    """Make the machine for one kind of database; `done` counts what was accepted."""

    class Ledger(RuleBasedStateMachine):
        """A hub with one channel, and somebody who commands at random."""

        @initialize()
        def begin(self) -> None:
            """Open an empty hub with a catalogue, a channel and an order that waits for units."""
            self.loop = asyncio.Runner()
            self.database = open_empty()
            self.world = World.build(self.database)
            self.connector, self.runtime, self.channel = stage(self.world)
            for sku in ("CAM", "LENS"):
                self.world.list_product(self.channel, sku, {"id": sku})
            rows = self.world.rows("SELECT product_id FROM listing ORDER BY product_id")
            self.listed = [row["product_id"] for row in rows]
            self.world.accept(self.channel, self.world.order())
            self.world.receive(*SERIALS[:4])
            self.world.receive(*SERIALS[4:6], sku="LENS", put_away=False)
            self.hub = Hub(self.world)
            self.caller: Caller = self.loop.run(self.hub.caller(Scope.ADMIN))
            self.situation = Situation(self.world)
            self.seen: list[tuple[int, str]] = []
            self.newest: tuple[str, dict[str, Any], Any] | None = None

        @rule(steps=st.integers(1, 8), data=st.data())
        def a_unit_goes_its_way(self, steps: int, data: st.DataObject) -> None:
            """Do to some unit what it permits next, where it is, again and again."""
            serial = data.draw(st.sampled_from(SERIALS[:6]))
            for _ in range(steps):
                self.go_on(serial, data)
                self.everything_holds()

        def go_on(self, serial: str, data: st.DataObject) -> None:
            rows = self.world.rows(
                "SELECT unit.*, location.code FROM unit "
                "JOIN location ON location.id = unit.location_id WHERE unit.serial = :serial "
                "ORDER BY unit.id",
                serial=serial,
            )
            unit = data.draw(st.sampled_from(rows))
            promised, blocked = unit["promised_to"] is not None, unit["blocks"] > 0
            status = Status(unit["status"])
            options = allowed(status, promised=promised, blocked=blocked)
            steps = [each for action in options for each in WAYS.get(action, ())]
            if steps:
                mutation = data.draw(st.sampled_from(steps))
                place = unit["code"] if unit["code"] in PLACES else "WH"
                self.send(mutation, data, identifier=unit["serial"], location=place)

        @rule(story=st.sampled_from(STORIES), data=st.data())
        def a_story_is_told(self, story: tuple[str, ...], data: st.DataObject) -> None:
            """Command what belongs together about one unit, at one place."""
            serial = data.draw(st.sampled_from(SERIALS))
            place = data.draw(st.sampled_from(PLACES))
            for mutation in story:
                self.send(mutation, data, identifier=serial, serial=serial, location=place)
                self.everything_holds()

        @rule(mutation=st.sampled_from(COMMANDS), data=st.data())
        def command(self, mutation: str, data: st.DataObject) -> None:
            """Command something; the answer is a result or a typed problem, never a fault."""
            self.send(mutation, data)

        def send(self, mutation: str, data: st.DataObject, **preferred: str) -> None:
            given = self.situation.arguments(mutation, data.draw, **preferred)
            if given is None:
                return
            answer = self.ask(mutation, given)
            if "code" not in answer:
                done[mutation] += answer.get("accepted", 1)
                kept = self.world.rows(
                    "SELECT id FROM command WHERE key = :key", key=given.get(KEY, "")
                )
                assert kept or KEY not in given or mutation in FREE, (mutation, given, answer)
                self.newest = (mutation, given, answer) if kept else None

        def ask(self, mutation: str, given: dict[str, Any]) -> Any:
            query = document(mutation, tuple(sorted(given)))
            return self.loop.run(self.caller.ask(query, **given))["done"]

        @precondition(lambda self: self.newest is not None)
        @rule()
        def the_same_key_again(self) -> None:
            """The same command under its key gives its first answer, and changes nothing."""
            assert self.newest is not None
            mutation, given, answer = self.newest
            if KEY not in given:
                return
            before = self.events()
            again = self.ask(mutation, given)
            assert self.events() == before
            assert again.get("replayed", True) is True
            if "replayed" in answer:
                assert again | {"replayed": answer["replayed"]} == answer

        @precondition(lambda self: self.newest is not None)
        @rule(data=st.data())
        def the_same_key_for_something_else(self, data: st.DataObject) -> None:
            """A key that was used for one thing is refused for another, and changes nothing."""
            assert self.newest is not None
            _, used, _ = self.newest
            mutation = data.draw(st.sampled_from(COMMANDS))
            given = self.situation.arguments(mutation, data.draw)
            if given is None or KEY not in given or KEY not in used:
                return
            given[KEY] = used[KEY]
            if given == used:
                return
            before = self.events()
            answer = self.ask(mutation, given)
            # What is refused for another reason never came to its key.
            assert "code" in answer
            assert self.events() == before

        @rule(minutes=st.integers(1, 60 * 24 * 40))
        def time_passes(self, minutes: int) -> None:
            """Let time pass."""
            self.world.pass_time(minutes=minutes)

        @rule()
        def the_relay_works(self) -> None:
            """Tell the channel what is due."""
            self.loop.run(relay.drain(self.runtime, self.channel["id"]))

        def events(self) -> list[tuple[int, str]]:
            """Return every event, by its place and its hash."""
            rows = self.world.rows("SELECT seq, hash FROM event ORDER BY seq")
            return [(row["seq"], row["hash"]) for row in rows]

        def everything_holds(self) -> None:
            """Look at all of the invariants, between two steps of one rule."""
            for _, each in inspect.getmembers(self, inspect.ismethod):
                if hasattr(each.__func__, "hypothesis_stateful_invariant"):
                    each()

        @invariant()
        def one_record_for_each_unit(self) -> None:
            """Identity is unique, and every writing of a serial finds its one unit."""
            rows = self.world.rows(
                "SELECT serial, serial_canonical, product_id, COUNT(*) AS units FROM unit "
                "GROUP BY serial, serial_canonical, product_id"
            )
            for row in rows:
                assert row["units"] == 1
                assert canonical(row["serial"]) == row["serial_canonical"]

        @invariant()
        def history_is_only_added_to(self) -> None:
            """What was recorded stays as it was, and every step followed from the one before."""
            now = self.events()
            assert now[: len(self.seen)] == self.seen
            self.seen = now
            for row in self.world.rows(
                "SELECT action, status_from, status FROM event WHERE corrects IS NULL "
                "AND version > 1"
            ):
                lawful = LIFECYCLE[Action(row["action"])]
                assert row["status_from"] in lawful.when
                assert row["status"] == (lawful.to or row["status_from"])

        @invariant()
        def everything_adds_up(self) -> None:
            """Each unit is in one place with one status; all counts agree."""
            balance = self.world.read(conservation.check)
            assert balance.holds, balance.breaches

        @invariant()
        def nothing_is_promised_or_sold_twice(self) -> None:
            """One promise for a unit, and a return between two sales."""
            assert not self.world.rows(
                "SELECT unit_id FROM hold WHERE kind = 'sale' AND released_at IS NULL "
                "GROUP BY unit_id HAVING COUNT(*) > 1"
            )
            gone: set[str] = set()
            for row in self.world.rows(
                "SELECT unit_id, status_from, status FROM event ORDER BY seq"
            ):
                left = row["status"] in {"shipped", "sold"}
                was_gone = row["status_from"] in {"shipped", "sold"}
                if left and not was_gone:
                    assert row["unit_id"] not in gone
                    gone.add(row["unit_id"])
                elif was_gone and not left:
                    gone.discard(row["unit_id"])

        def _counted(self, now: datetime) -> dict[str, int]:
            """Count what is available by the policy of now, without what had expired at a time."""

            def count(tx: Transaction) -> dict[str, int]:
                channel = channels.by_id(tx, self.channel["id"])
                return listings.available(tx, channel, self.listed, now)

            return self.world.read(count)

        @invariant()
        def what_changed_is_told_or_waits(self) -> None:
            """A level that does not wait was told what is available now.

            What has expired since it was told changes it when that is set aside.
            """
            for row in self.world.rows("SELECT * FROM listing_level"):
                if row["wanted_version"] == row["done_version"]:
                    told = self._counted(moment(row["acknowledged_at"]))
                    assert row["acknowledged"] == told[row["product_id"]]

        @invariant()
        def facts_keep_their_source_and_age(self) -> None:
            """An answer that is remembered names who said it and when; unknown stays unknown."""
            for row in self.world.rows(
                "SELECT warranty_record.*, channel.code FROM warranty_record "
                "LEFT JOIN channel ON channel.id = warranty_record.channel_id"
            ):
                assert row["code"] is not None
                assert row["observed_at"] > 0
                assert row["status"] != "not_covered" or row["registered"] is not None

        @invariant()
        def the_chain_holds(self) -> None:
            """Every event seals its predecessor, and every unit is the fold of its events."""
            assert self.world.read(hash_chain.verify).breaks == ()

        def teardown(self) -> None:
            """Tell everything: the channel shows the ledger; sign everything: it verifies."""
            if not hasattr(self, "loop"):
                return
            try:
                self.world.pass_time(days=2)
                # What expired meanwhile is set aside, as it is every half a minute.
                self.world.write(lambda tx: expiry.set_aside(tx, self.world.context(), limit=100))
                self.loop.run(relay.drain(self.runtime, self.channel["id"]))
                counts = self._counted(self.world.now)
                assert sorted(self.connector.shown.values()) == sorted(counts.values())
                signer = Signer(self.world.vault)
                self.world.write(lambda tx: checkpoints.make(tx, signer, self.world.now))
                trusted = {signer.public_key}
                assert not self.world.read(lambda tx: checkpoints.verify(tx, trusted)).breaks
            finally:
                self.loop.run(self.hub.opened.aclose())
                self.loop.run(self.hub.runtime.connections.aclose())
                self.loop.close()
                close(self.database)

    return Ledger


def _empty(
    backend: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> tuple[Callable[[], Database], Callable[[Database], None]]:
    """Say how an empty database of a kind is opened, and how it is thrown away."""
    if backend == "sqlite":
        template = request.getfixturevalue("_sqlite_template")

        def open_sqlite() -> Database:
            path = folders.mktemp("ledger") / "hub.db"
            shutil.copy(template, path)
            return open_database(f"sqlite:///{path}")

        return open_sqlite, lambda database: database.close()
    model = request.getfixturevalue("_postgres_template")

    def close(database: Database) -> None:
        database.close()
        postgres.drop(database.url)

    return lambda: open_database(postgres.create(model)), close


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.req("R1", "R20", "R36", "R39", "R53", "R57", "R64", "R74")
def test_whatever_is_commanded_the_ledger_holds(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    done: Counter[str] = Counter()
    empty = _empty(backend, request, tmp_path_factory)
    made = machine(*empty, done)
    run_state_machine_as_test(
        made,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=PHASES,
        ),
    )
    print(f"accepted: {dict(done.most_common())}")
    print(f"never accepted: {sorted(set(COMMANDS) - set(done))}")
    assert sum(done.values()) > EXAMPLES
