"""The database: groups of writes, reads that do not wait, races that somebody loses cleanly."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hub.storage.database import (
    Database,
    DatabaseAway,
    DatabaseClosed,
    DatabaseLost,
    await_database,
    connecting,
    open_database,
    retries,
)
from hub.storage.database.connecting import watchful
from hub.storage.sql import Transaction, for_postgresql, for_sqlite
from world import World

INSERT = "INSERT INTO api_key(id, name, digest, scopes, created_at) VALUES(:id, 'n', :id, '[]', 0)"


def count(database: Database) -> int:
    return int(database.read_now(lambda tx: tx.value("SELECT COUNT(*) FROM api_key")))


def test_statements_are_said_in_each_databases_words() -> None:
    statement = "SELECT 'a:b'::text FROM t WHERE id IN (:ids...) AND n = :n FOR UPDATE SKIP LOCKED"
    assert for_sqlite(statement).endswith("id IN (SELECT value FROM json_each(:ids)) AND n = :n")
    assert (
        "= ANY(%(ids)s) AND n = %(n)s FOR UPDATE SKIP LOCKED" in for_postgresql(statement).decode()
    )
    assert for_postgresql("WHERE n IN (:ids...)", ("ids",)) == b"WHERE n = %(ids)s"
    assert b"::text" in for_postgresql(statement)
    assert for_postgresql("SELECT 1 WHERE a LIKE '%x'") == b"SELECT 1 WHERE a LIKE '%%x'"


def test_work_that_fails_leaves_nothing_and_harms_nobody(database: Database) -> None:
    def fails(tx: Transaction) -> None:
        tx.run(INSERT, id="bad")
        raise RuntimeError("no")

    good = [database.submit(lambda tx, n=n: tx.run(INSERT, id=f"good-{n}")) for n in range(5)]
    bad = database.submit(fails)
    more = [database.submit(lambda tx, n=n: tx.run(INSERT, id=f"more-{n}")) for n in range(5)]
    with pytest.raises(RuntimeError):
        bad.result()
    assert [each.result() for each in good + more] == [1] * 10
    assert count(database) == 10


def test_waiting_writes_share_a_commit(url: str) -> None:
    database = open_database(url)
    gate = threading.Event()
    jobs = [database.submit(lambda _: gate.wait(5))]
    commits: list[int] = []

    def insert(tx: Transaction, number: int) -> int:
        if tx.dialect == "postgresql":
            commits.append(tx.value("SELECT txid_current()"))
        return tx.run(INSERT, id=str(number))

    jobs += [database.submit(lambda tx, n=n: insert(tx, n)) for n in range(50)]
    gate.set()
    assert sum(job.result() for job in jobs) == 51
    assert len(set(commits)) <= 8
    assert count(database) == 50
    database.close()


def test_reads_see_one_picture_and_can_not_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"readonly|read-only"):
        database.read_now(lambda tx: tx.run(INSERT, id="x"))

    async def main() -> None:
        assert await database.read(lambda tx: tx.value("SELECT COUNT(*) FROM api_key")) == 0
        await database.write(lambda tx: tx.run(INSERT, id="x"))
        assert await database.read(lambda tx: tx.value("SELECT COUNT(*) FROM api_key")) == 1
        assert await database.report(lambda tx: tx.value("SELECT COUNT(*) FROM api_key")) == 1

    asyncio.run(main())


def test_a_commit_wakes_those_who_wait_for_its_topic_and_no_others(database: Database) -> None:
    async def main() -> None:
        with (
            database.signals.listen("levels") as levels,
            database.signals.listen("facts") as facts,
        ):
            await database.write(lambda tx: tx.wake("levels"))
            async with asyncio.timeout(2):
                await levels.wait()
            assert not facts.is_set()
            with pytest.raises(RuntimeError):
                await database.write(_wakes_and_fails)
            await asyncio.sleep(0.01)
            assert not facts.is_set()

    asyncio.run(main())


def _wakes_and_fails(tx: Transaction) -> None:
    tx.wake("facts")
    raise RuntimeError("rolled back: nobody is woken")


def test_a_closed_database_says_so(url: str) -> None:
    database = open_database(url)
    database.close()
    with pytest.raises(DatabaseClosed):
        database.write_now(lambda tx: tx.run(INSERT, id="x"))


def test_two_who_lock_in_opposite_order_both_come_through(url: str, backend: str) -> None:
    """Between processes on PostgreSQL this is a deadlock; the loser's work is run again."""
    databases = [open_database(url) for _ in range(2)]
    for key in ("a", "b"):
        databases[0].write_now(lambda tx, key=key: tx.run(INSERT, id=key))
    meet = threading.Barrier(2 if backend == "postgresql" else 1, timeout=5)
    tries: list[str] = []

    def both(database: Database, first: str, second: str) -> None:
        def work(tx: Transaction) -> None:
            tries.append(first)
            update = "UPDATE api_key SET name = :id WHERE id = :id"
            tx.run(update, id=first)
            if len(tries) <= 2:
                meet.wait()
            tx.run(update, id=second)

        database.write_now(work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(both, databases, ("a", "b"), ("b", "a")))
    assert len(tries) == (3 if backend == "postgresql" else 2)
    for database in databases:
        database.close()


@pytest.fixture
def server(url: str, backend: str) -> Iterator[Database]:
    """A database on PostgreSQL, which is a server that can go away."""
    if backend == "sqlite":
        pytest.skip("SQLite has no server")
    database = open_database(url)
    yield database
    database.close()


def hold_a_row(url: str, key: str) -> "psycopg.Connection[tuple[int]]":
    """Lock a row from elsewhere, until the connection is closed."""
    other = psycopg.connect(url)
    other.execute("SELECT 1 FROM api_key WHERE id = %s FOR UPDATE", [key])
    return other


UPDATE = "UPDATE api_key SET name = 'changed' WHERE id = :id"


def test_who_waits_for_a_lock_holds_up_nobody_in_his_company(server: Database, url: str) -> None:
    for key in ("locked", "free"):
        server.write_now(lambda tx, key=key: tx.run(INSERT, id=key))
    other = hold_a_row(url, "locked")
    gate = threading.Event()
    first = server.submit(lambda _: gate.wait(5))
    waiting = server.submit(lambda tx: tx.run(UPDATE, id="locked"))
    company = [server.submit(lambda tx: tx.run(UPDATE, id="free")) for _ in range(5)]
    gate.set()
    assert first.result()
    assert [each.result(timeout=2) for each in company] == [1] * 5
    assert not waiting.done()
    other.close()
    assert waiting.result(timeout=2) == 1


def test_a_long_write_does_not_hold_up_those_after_it(server: Database) -> None:
    begun, gate = threading.Event(), threading.Event()
    long = server.submit(lambda _: begun.set() or gate.wait(5))
    assert begun.wait(5)
    assert server.submit(lambda tx: tx.run(INSERT, id="short")).result(timeout=2) == 1
    assert not long.done()
    gate.set()
    assert long.result()


def _drop_connections(url: str) -> None:
    """Do to every other connection what a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_work_goes_on_after_the_server_was_away(server: Database, url: str) -> None:
    assert count(server) == 0
    server.write_now(lambda tx: tx.run(INSERT, id="before"))
    _drop_connections(url)
    assert count(server) == 1
    _drop_connections(url)
    assert server.write_now(lambda tx: tx.run(INSERT, id="after")) == 1
    tries: list[int] = []

    def interrupted(tx: Transaction) -> int:
        tries.append(tx.run(INSERT, id="in the middle"))
        if len(tries) == 1:
            _drop_connections(url)
        return int(tx.value("SELECT COUNT(*) FROM api_key"))

    assert server.write_now(interrupted) == 3
    assert len(tries) == 2


def test_a_commit_whose_answer_is_lost_is_not_repeated_but_said(server: Database, url: str) -> None:
    tries: list[int] = []

    def cut_before_the_commit(tx: Transaction) -> None:
        tries.append(tx.run(INSERT, id="unknown"))
        _drop_connections(url)

    with pytest.raises(DatabaseLost):
        server.write_now(cut_before_the_commit)
    assert len(tries) == 1


def test_a_commit_in_one_process_wakes_those_who_wait_in_another(
    server: Database, url: str
) -> None:
    elsewhere = open_database(url)

    async def main() -> None:
        with server.signals.listen("levels") as levels:
            async with asyncio.timeout(5):
                while not levels.is_set():  # until the listener has come as far as to listen
                    await elsewhere.write(lambda tx: tx.wake("levels"))
                    await asyncio.sleep(0.05)
            _drop_connections(url)  # deaf for a moment: whoever waits is woken, to be safe
            levels.clear()
            async with asyncio.timeout(5):
                await levels.wait()

    asyncio.run(main())
    elsewhere.close()


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mysql"):
        open_database("mysql://root@localhost/hub")


def test_a_file_that_can_not_be_opened_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unable to open"):
        open_database(f"sqlite:///{tmp_path}/none/hub.db")


def test_the_database_itself_refuses_to_change_an_event(world: World) -> None:
    world.receive("SN-1")
    for statement in ("UPDATE event SET actor = 'me'", "DELETE FROM event"):
        with pytest.raises(Exception, match="never changed"):
            world.write(lambda tx, statement=statement: tx.run(statement))
    assert world.value("SELECT COUNT(*) FROM event") == 2


def test_the_database_itself_holds_identity_and_promises_unique(world: World) -> None:
    world.receive("SN-1")
    unit = world.unit("SN-1")
    copy = "INSERT INTO unit SELECT * FROM unit WHERE id = :id"
    with pytest.raises((psycopg.errors.UniqueViolation, Exception), match=r"(?i)unique"):
        world.write(lambda tx: tx.run(copy, id=unit["id"]))
    hold = (
        "INSERT INTO hold(id, unit_id, kind, placed_by, placed_at) "
        "VALUES(:id, :unit, 'sale', 'x', 0)"
    )
    world.write(lambda tx: tx.run(hold, id="h1", unit=unit["id"]))
    with pytest.raises(Exception, match=r"(?i)unique"):
        world.write(lambda tx: tx.run(hold, id="h2", unit=unit["id"]))


def test_an_operators_own_options_are_kept(url: str, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no server options")
    database = open_database(f"{url}&options=-c%20search_path%3Dpublic%2Cpg_catalog")
    show = "SELECT current_setting('search_path') AS path"
    wanted = [{"path": "public,pg_catalog"}]
    assert database.write_now(lambda tx: tx.rows(show)) == wanted
    assert database.read_now(lambda tx: tx.rows(show)) == wanted
    database.close()


def test_a_dead_wire_is_noticed_soon_unless_the_operator_says_otherwise() -> None:
    given = conninfo_to_dict(watchful("postgresql://u@h/d?tcp_user_timeout=7&connect_timeout=9"))
    assert given == {
        "user": "u",
        "host": "h",
        "dbname": "d",
        "connect_timeout": "9",
        "keepalives_idle": "10",
        "keepalives_interval": "3",
        "keepalives_count": "3",
        "tcp_user_timeout": "7",
    }


def test_an_operators_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "60")
    assert "connect_timeout" not in conninfo_to_dict(watchful("postgresql://u@h/d"))


def test_who_starts_before_the_server_waits_for_it(
    url: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "sqlite":
        await_database(url, 0)  # there is nobody to wait for
        return
    monkeypatch.setattr(connecting, "START_POLL_SECONDS", 0.01)
    absent = f"postgresql://postgres@127.0.0.1:{_free_port()}/hub"
    with pytest.raises(DatabaseAway, match="refused"):
        await_database(absent, 0.05)
    tries: list[str] = []
    connect = psycopg.connect

    def late(conninfo: str) -> Any:
        tries.append(conninfo)
        return connect(conninfo if len(tries) > 2 else absent)

    monkeypatch.setattr(connecting.psycopg, "connect", late)
    await_database(url, 30)
    assert len(tries) == 3


def test_a_server_that_stays_away_is_said_and_not_waited_for_twice(
    server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "AWAY_SECONDS_MAX", 0.2)
    assert count(server) == 0
    with monkeypatch.context() as away:
        away.setattr(server, "_connection", _refused)
        gate = threading.Event()
        jobs = [server.submit(lambda _: gate.wait(5))]
        jobs += [server.submit(lambda tx: tx.run(INSERT, id="x")) for _ in range(20)]
        gate.set()
        for job in jobs[1:]:
            with pytest.raises(DatabaseAway):
                job.result(10)
        with pytest.raises(DatabaseAway):
            count(server)
    assert count(server) == 0
    assert server.write_now(lambda tx: tx.run(INSERT, id="x")) == 1


def _refused(_: str) -> Any:
    raise psycopg.OperationalError("connection refused")


def test_a_server_that_is_not_there_leaves_no_threads_behind() -> None:
    before = threading.active_count()
    with pytest.raises(psycopg.OperationalError):
        open_database(f"postgresql://postgres@127.0.0.1:{_free_port()}/hub")
    assert threading.active_count() == before


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
