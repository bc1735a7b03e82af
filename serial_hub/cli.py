"""The command `serial-hub`: the one place that knows every room and puts them together."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from connectors.testing import command as connector_kit
from hub.access import keys, trail
from hub.clock import now
from hub.errors import Refused
from hub.imports import command as importing
from hub.ledger import hash_chain
from hub.proof import certificate, checkpoints
from hub.proof.checkpoints import Signer
from hub.settings import RESEAL, SettingMissing, Settings, from_environment
from hub.storage.database import Database, DatabaseAway
from hub_api.administration.mutations import known_commands
from hub_api.console import certificates
from hub_api.engine.documents import core_schema
from hub_api.public.public_schema import public_sdl
from hub_api.schema import schema
from hub_api.schema_changes import breaking_changes
from serial_hub import demo, documents, key_commands, reconciling
from serial_hub.compose import bring_up_to_date, compose, prepare, set_up
from serial_hub.serving import serve

logger = logging.getLogger("serial_hub")

ROLES = ("all", "api", "worker")


def verify(settings: Settings) -> None:
    """Verify the whole ledger: chains, units, checkpoints; exit with 1 if it does not hold."""
    trusted = Signer(settings.vault()).trusted
    with opened(settings) as database:
        proof = database.read_now(hash_chain.verify)
        signed = database.read_now(lambda tx: checkpoints.verify(tx, trusted))
        entries = database.read_now(trail.verify)
    breaks = [f"unit {each.unit_id} version {each.version}: {each.what}" for each in proof.breaks]
    breaks += [*signed.breaks, *entries.breaks]
    sys.stdout.writelines(f"{each}\n" for each in breaks)
    sys.stdout.write(
        f"{proof.events} events of {proof.units} units, {signed.checkpoints} checkpoints, "
        f"{entries.entries} entries of the trail, {len(breaks)} breaks\n"
    )
    if breaks:
        sys.exit(1)


def issue_certificate(
    settings: Settings, identifier: str, sku: str | None, *, as_page: bool
) -> None:
    """Print the custody certificate of a unit, as JSON or as a page; everything is signed first."""
    signer = Signer(settings.vault())
    with opened(settings) as database:
        while database.write_now(lambda tx: checkpoints.make(tx, signer, now())):
            continue
        paper = database.read_now(lambda tx: certificate.issue(tx, signer, identifier, sku, now()))
    sys.stdout.write(certificates.page(paper) if as_page else json.dumps(paper, indent=2) + "\n")


def check_certificate(file: Path, public_key: str) -> None:
    """Verify a certificate without a database; exit with 1 if it does not hold."""
    try:
        paper, found = certificates.read(file.read_text())
        found += certificate.problems(paper, public_key)
    except (OSError, ValueError, TypeError) as error:
        found = [f"{file} can not be read: {error}"]
    sys.stdout.writelines(f"{each}\n" for each in found or ["The certificate holds."])
    if found:
        sys.exit(1)


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """Open the database for one command."""
    database = prepare(settings)
    try:
        yield database
    finally:
        database.close()


def create_key(settings: Settings, options: argparse.Namespace) -> None:
    """Make an API key and print it; with origins a publishable one."""
    unknown = set(options.commands or ()) - known_commands()
    if unknown:
        sys.exit(f"there is no mutation and no group of them: {', '.join(sorted(unknown))}")
    with opened(settings) as database:
        secret = key_commands.create(database, options)
    sys.stdout.write(f"{secret}\n")


def list_keys(settings: Settings) -> None:
    """Print every API key, without secrets."""
    with opened(settings) as database:
        rows = database.read_now(keys.listed)
    sys.stdout.writelines(key_commands.lines(rows))


def revoke_key(settings: Settings, key_id: str) -> None:
    """Refuse an API key from now on."""
    with opened(settings) as database:
        key_commands.revoke(database, key_id)


def reseal(settings: Settings) -> None:
    """Seal everything with the current key; exit with 1 if something could not be opened."""
    with opened(settings) as database:
        code = key_commands.reseal(settings, database)
    sys.exit(code)


def print_schema(*, public: bool, check: str | None = None) -> None:
    """Print the schema, or its public part, as SDL; or hold it to a released one.

    With `check`, the file of the released schema, each change that breaks its clients is printed,
    and the command ends with 1 if there is any.
    """
    text = public_sdl(core_schema(schema)) if public else schema.as_str() + "\n"
    if check is None:
        sys.stdout.write(text)
        return
    changes = breaking_changes(Path(check).read_text(encoding="utf-8"), text)
    for change in changes:
        print(change)
    if changes:
        sys.exit(1)


def trust_documents(settings: Settings, options: argparse.Namespace) -> None:
    """Push, list or remove trusted documents."""
    if options.action == "push" and options.url:
        documents.push_remotely(options)
        return
    with opened(settings) as database:
        documents.run(database, options)


def import_file(settings: Settings, options: argparse.Namespace) -> None:
    """Read a file of units in."""
    with opened(settings) as database:
        importing.run(database, options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    try:
        settings = from_environment()
    except ValueError as error:
        sys.exit(str(error))
    set_up(settings)
    commands: dict[str, Callable[[], None]] = {
        "serve": lambda: serve(settings, options.role),
        "migrate": lambda: bring_up_to_date(settings),
        "schema": lambda: print_schema(public=options.public, check=options.check),
        "verify": lambda: verify(settings),
        "certificate": lambda: issue_certificate(
            settings, options.identifier, options.sku, as_page=options.html
        ),
        "check-certificate": lambda: check_certificate(options.file, options.public_key),
        "public-key": lambda: print(Signer(settings.vault()).public_key),
        "connectors": lambda: connector_kit.run(options),
        "keys create": lambda: create_key(settings, options),
        "keys list": lambda: list_keys(settings),
        "keys revoke": lambda: revoke_key(settings, options.id),
        "reseal": lambda: reseal(settings),
        "documents": lambda: trust_documents(settings, options),
        "import": lambda: import_file(settings, options),
        "reconcile": lambda: sys.exit(reconciling.run(settings, options)),
        "demo": lambda: demo.run(compose, once=options.once, port=options.port),
    }
    asked = options.command
    if asked == "keys":
        asked = f"keys {options.action}"
    try:
        with suppress(KeyboardInterrupt):
            commands[asked]()
    except Refused as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    except (SettingMissing, DatabaseAway) as missing:
        sys.exit(str(missing))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="serial-hub", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="run the hub")
    serving.add_argument("--role", choices=ROLES, default="all")
    commands.add_parser("migrate", help="bring the tables to this version")
    printing = commands.add_parser("schema", help="print the GraphQL schema")
    printing.add_argument(
        "--check",
        metavar="FILE",
        help="name what breaks clients of the released schema in FILE; ends with 1 if anything",
    )
    printing.add_argument("--public", action="store_true", help="what publishable keys may ask")
    commands.add_parser("verify", help="verify every seal, unit and signature")
    issuing = commands.add_parser("certificate", help="print the custody certificate of a unit")
    issuing.add_argument("identifier")
    issuing.add_argument("--sku")
    issuing.add_argument("--html", action="store_true", help="as a page to print and keep")
    checking = commands.add_parser("check-certificate", help="verify a certificate, offline")
    checking.add_argument("file", type=Path)
    checking.add_argument("--public-key", required=True)
    commands.add_parser("public-key", help="print the key that certificates are verified with")
    kit = commands.add_parser("connectors", help="list the installed connectors, or score them")
    connector_kit.add_arguments(kit)
    key_actions = commands.add_parser("keys", help="API keys").add_subparsers(
        dest="action", required=True
    )
    key_commands.add_arguments(key_actions)
    commands.add_parser(RESEAL, help="seal all that is sealed with the current secret key")
    documents.add_arguments(
        commands.add_parser("documents", help="GraphQL documents that web pages may ask")
    )
    importing.add_arguments(commands.add_parser("import", help="read a file of units in"))
    reconciling.add_arguments(
        commands.add_parser("reconcile", help="compare channels with the ledger now")
    )
    showing = commands.add_parser("demo", help="the hub with three simulated channels")
    showing.add_argument("--once", action="store_true", help="end when the story is told")
    showing.add_argument("--port", type=int, default=8000)
    return parser
