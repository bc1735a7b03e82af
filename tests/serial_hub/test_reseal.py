"""Sealing everything anew: the old key can go, a run that was killed goes on, nothing is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hub.access import resealing, trail
from hub.access.resealing import SEALED
from hub.access.vault import Vault, WrongKey
from hub.clock import micros, now
from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.sql import Transaction
from serial_hub.compose import prepare
from world import World

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
PEOPLE = 1_000


def fill(database: Database, vault: Vault, people: int = 3) -> World:
    """Store something sealed in each column that holds such."""
    world = World.build(database)
    world.vault = vault
    channel = world.channel(settings={"token": "of the channel"})
    order = world.accept(channel, world.order())

    def more(tx: Transaction) -> None:
        at = micros(now())
        tx.run(
            "INSERT INTO checkout(order_id, owner, cart, token_digest, address, created_at) "
            "VALUES(:order, 'k', 'c', 'd', :sealed, :at)",
            order=order,
            sealed=vault.seal({"city": "Ulm"}), at=at,
        )  # fmt: skip
        tx.run(
            "INSERT INTO channel_token(channel_id, sealed, lease_until, fence) "
            "VALUES(:channel, :sealed, 0, 0)",
            channel=channel["id"], sealed=vault.seal({"value": "t"}),
        )  # fmt: skip
        tx.run(
            "INSERT INTO webhook_endpoint(id, url, secrets, created_by, created_at, changed_at) "
            "VALUES('w-1', 'https://example.com', :sealed, 'x', :at, :at)",
            sealed=vault.seal({"secret": "whsec"}), at=at,
        )  # fmt: skip
        tx.insert(
            "person", ("ref", "contact", "changed_at"),
            [(f"p-{n:05}", vault.seal({"name": f"P {n}"}), at) for n in range(people)],
        )  # fmt: skip
        tx.run("INSERT INTO person(ref, changed_at, erased_at) VALUES('gone', :at, :at)", at=at)

    world.write(more)
    return world


def sealed_values(world: World) -> Iterator[str]:
    for table, (_, column) in SEALED.items():
        for row in world.rows(f"SELECT {column} AS value FROM {table}"):
            if row["value"]:
                yield row["value"]


def test_the_list_of_sealed_columns_names_every_one() -> None:
    """A column that says of itself that it is sealed or encrypted is sealed anew, too."""
    found = set()
    for path in Path("hub/storage/model").glob("*.py"):
        table = ""
        for line in path.read_text().splitlines():
            if line.startswith("class "):
                table = line.split()[1].partition("(")[0]
            comment = line.partition("#")[2]
            if line.startswith("    ") and ("encrypted" in comment or "sealed" in comment):
                found.add((table, line.split(":")[0].strip()))
    by_class = {"Channel": "channel", "ChannelToken": "channel_token", "Checkout": "checkout",
                "Person": "person", "WebhookEndpoint": "webhook_endpoint"}  # fmt: skip
    assert {(by_class[owner], column) for owner, column in found} <= {
        (table, column) for table, (_, column) in SEALED.items()
    }
    assert len(found) >= 4


def test_everything_is_opened_by_the_new_key_alone(world: World) -> None:
    fill(world.database, Vault(OLD))
    both = Vault(f"{NEW},{OLD}")
    reports: list[tuple[str, int]] = []
    noted = world.value("SELECT COUNT(*) FROM trail_change")
    done = resealing.reseal(
        world.database, both, lambda each: reports.append((each.table, each.seen)), trail.discard
    )
    values = list(sealed_values(world))
    assert len(values) == 3 + 4
    for value in values:
        Vault(NEW).open(value)
        with pytest.raises(WrongKey):
            Vault(OLD).open(value)
    assert sum(each.sealed for each in done) == len(values)
    assert {table for table, _ in reports} == set(SEALED)
    again = resealing.reseal(world.database, both, lambda _: None, trail.discard)
    assert [each.sealed for each in again] == [0] * len(SEALED)
    # Nothing of it is noted as a change of settings.
    assert world.value("SELECT COUNT(*) FROM trail_change") <= noted


def test_what_no_key_opens_is_named_and_left_as_it_is(world: World) -> None:
    fill(world.database, Vault(OLD))
    lost = Vault(Fernet.generate_key().decode()).seal({"name": "lost"})
    world.write(lambda tx: tx.run("UPDATE person SET contact = :c WHERE ref = 'p-00001'", c=lost))
    done = resealing.reseal(world.database, Vault(f"{NEW},{OLD}"), lambda _: None, trail.discard)
    assert {each.table: each.unopened for each in done}["person"] == ["p-00001"]
    assert world.value("SELECT contact FROM person WHERE ref = 'p-00001'") == lost
    assert len([each for each in sealed_values(world) if each != lost]) == 6


def command(folder: Path, *, two_person: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "serial_hub", "reseal"],
        cwd=folder,
        env=os.environ
        | {"SERIAL_HUB_SECRET_KEY": f"{NEW},{OLD}", "SERIAL_HUB_TWO_PERSON": two_person},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/serial-hub.db", secret_key=OLD)
    with closing(prepare(settings)) as database:
        fill(database, settings.vault(), PEOPLE)
    with command(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("person: 200 rows"):
                process.send_signal(signal.SIGKILL)
                break
    with closing(prepare(settings)) as database:
        world = World(database)
        opened = _opened_by_new(world)
        assert 200 <= opened < PEOPLE
    second = command(tmp_path)
    out, err = second.communicate()
    assert second.returncode == 0, err
    sealed = sum(int(line.split(", ")[1].split()[0]) for line in _last_lines(out))
    with closing(prepare(settings)) as database:
        world = World(database)
        assert _opened_by_new(world) == PEOPLE + 4
        assert sealed == PEOPLE + 4 - opened
        commands = [row["command"] for row in world.rows("SELECT command FROM trail_entry")]
        assert commands.count("reseal begins") == 2
        assert commands.count("reseal ends") == 1
        assert world.read(trail.verify).breaks == []


def _opened_by_new(world: World) -> int:
    count = 0
    for value in sealed_values(world):
        try:
            Vault(NEW).open(value)
        except WrongKey:
            continue
        count += 1
    return count


def _last_lines(out: str) -> list[str]:
    last = {line.split(":")[0]: line for line in out.splitlines() if " rows, " in line}
    return list(last.values())


@pytest.mark.slow
def test_sealing_anew_may_need_a_second_person(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/serial-hub.db", secret_key=OLD)
    with closing(prepare(settings)) as database:
        fill(database, settings.vault())
    refused = command(tmp_path, two_person="reseal")
    _, err = refused.communicate()
    assert refused.returncode == 1
    assert "APPROVAL_NEEDED" in err
    with closing(prepare(settings)) as database:
        database.write_now(
            lambda tx: tx.run("UPDATE approval SET state = 'approved' WHERE command = 'reseal'")
        )
        assert _opened_by_new(World(database)) == 0
    allowed = command(tmp_path, two_person="reseal")
    allowed.communicate()
    assert allowed.returncode == 0
