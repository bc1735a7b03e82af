"""The commands of the shell that concern keys: API keys, and sealing everything anew."""

import argparse
import getpass
import hashlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from hub.access import approvals, keys, resealing, sessions, trail
from hub.access.approvals import Wanted
from hub.access.keys import Creator, ListedKey, Narrowing, Scope
from hub.access.resealing import Progress
from hub.access.sessions import Owner, OwnerKind
from hub.access.trail import Doing
from hub.clock import moment, now
from hub.errors import ApprovalNeeded
from hub.settings import RESEAL, Settings
from hub.storage.database import Database
from hub.storage.sql import Transaction

SHELL = "shell"  # stands for the id of a key


def actor() -> str:
    """Return who runs the command: the user of the machine."""
    with suppress(OSError, KeyError):  # a container may have a user without a name
        return f"{SHELL} {getpass.getuser()}"
    return SHELL


def add_arguments(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the actions of `serial-hub keys`."""
    making = actions.add_parser("create", help="make a key; its secret is printed once")
    making.add_argument("name")
    making.add_argument("--scope", action="append", choices=[*Scope])
    making.add_argument(
        "--origin", action="append", metavar="URL", help="of web pages that a public key stands in"
    )
    making.add_argument("--client", metavar="CODE", help="whose goods alone the key reads or moves")
    making.add_argument("--site", metavar="CODE", help="where alone the key acts")
    making.add_argument(
        "--command", action="append", metavar="NAME", dest="commands",
        help="a mutation, or a group of them, that the key may send; as often as needed",
    )  # fmt: skip
    making.add_argument(
        "--address", action="append", metavar="NETWORK", help="that the key is taken from"
    )
    making.add_argument(
        "--expires", type=datetime.fromisoformat, metavar="TIME", help="2027-01-31T00:00+00:00"
    )
    actions.add_parser("list", help="list the keys")
    actions.add_parser("revoke", help="refuse a key from now on").add_argument("id")


def create(database: Database, options: argparse.Namespace) -> str:
    """Make an API key and return its secret; with origins a publishable one."""
    if bool(options.scope) == bool(options.origin):
        sys.exit("give a key scopes, or origins where it stands in web pages")
    wanted = [Scope(scope) for scope in options.scope or ()]
    at, maker = now(), Creator(actor())
    narrows = Narrowing(
        client=options.client,
        site=options.site,
        commands=options.commands,
        addresses=options.address,
        expires_at=options.expires,
    )

    def make(tx: Transaction) -> tuple[str, str]:
        trail.begin(tx, at)
        if options.origin:
            made = keys.create_publishable(tx, options.name, options.origin, at, maker)
        else:
            made = keys.create(tx, options.name, wanted, at, narrowing=narrows, creator=maker)
        trail.record(tx, Doing(actor=actor(), command="keys create"), at)
        return made

    _, secret = database.write_now(make)
    return secret


def lines(rows: Sequence[ListedKey]) -> list[str]:
    """Describe every API key, without secrets, the oldest first."""
    return [_line(row) for row in reversed(rows)]


def _line(row: ListedKey) -> str:
    state = "revoked" if row["revoked_at"] else "active"
    if not row["revoked_at"] and row["expires_at"] and moment(row["expires_at"]) <= now():
        state = "expired"
    used = f"{moment(row['last_used_at']):%Y-%m-%d}" if row["last_used_at"] else "never     "
    limits = "".join(
        f" {word} {value}"
        for word, value in (
            ("of", row["client"]),
            ("at", row["site"]),
            ("only", row["commands"]),
            ("from", row["addresses"]),
            ("for pages of", row["origins"]),
        )
        if value
    )
    made = f"{moment(row['created_at']):%Y-%m-%d}"
    scopes = f"{row['scopes']}{limits}"
    return f"{row['id']}  {made}  used {used}  {state:8}{scopes}  {row['name']}\n"


def revoke(database: Database, key_id: str) -> None:
    """Refuse an API key from now on, and end its sessions."""
    at = now()

    def do(tx: Transaction) -> None:
        trail.begin(tx, at)
        keys.revoke(tx, key_id, at)
        sessions.end_all(tx, Owner(OwnerKind.KEY, key_id), at)
        trail.record(tx, Doing(actor=actor(), command="keys revoke"), at)

    database.write_now(do)


def reseal(settings: Settings, database: Database) -> int:
    """Seal everything with the current key; return 1 if something could not be opened."""
    at = now()
    if RESEAL in settings.two_person_commands():
        _await_approval(database, at)
    _note(database, "begins", at)

    def report(progress: Progress) -> None:
        sys.stdout.write(f"{progress.table}: {progress.seen} rows, {progress.sealed} sealed anew\n")
        sys.stdout.flush()

    done = resealing.reseal(database, settings.vault(), report, trail.discard)
    unopened = [f"{each.table} {key}" for each in done for key in each.unopened]
    for each in unopened:
        sys.stdout.write(f"no key opens {each}\n")
    sealed = sum(each.sealed for each in done)
    sys.stdout.write(f"{sealed} sealed anew, {len(unopened)} that no key opens\n")
    _note(database, "ends", now())
    return 1 if unopened else 0


def _note(database: Database, how: str, at: datetime) -> None:
    doing = Doing(actor=actor(), command=f"{RESEAL} {how}")

    def do(tx: Transaction) -> None:
        trail.begin(tx, at)
        trail.record(tx, doing, at)

    database.write_now(do)


def _await_approval(database: Database, at: datetime) -> None:
    """Raise ApprovalNeeded unless somebody approved of sealing anew."""
    digest = hashlib.sha256(RESEAL.encode()).hexdigest()
    wanted = Wanted(command=RESEAL, digest=digest, actor=actor(), key_id=SHELL)

    def ask(tx: Transaction) -> ApprovalNeeded | None:
        if approvals.use(tx, wanted, at):
            return None
        trail.begin(tx, at)
        needed = approvals.request(tx, wanted, at)
        trail.record(tx, Doing(actor=actor(), command=f"request {RESEAL}"), at)
        return needed

    needed = database.write_now(ask)
    if needed is not None:
        raise ApprovalNeeded(f"{needed} (request {needed.details['approval']})")
