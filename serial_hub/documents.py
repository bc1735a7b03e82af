"""The command `serial-hub documents`: which GraphQL documents publishable keys may ask."""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx
import orjson

from hub.access import trusted_documents
from hub.clock import now
from hub.errors import InvalidInput
from hub.storage.database import Database
from hub_api.public import documents as public_documents
from hub_api.schema import schema

KEY = "SERIAL_HUB_KEY"
ACTOR = "serial-hub documents"
SECONDS_MAX = 60.0
PUSH = """mutation Push($key: String!, $documents: [TrustedDocumentInput!]!) {
  done: pushDocuments(idempotencyKey: $key, documents: $documents) {
    ... on DocumentsPushed { documents { name sha256 } } ... on Problem { code message } } }"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True)
    pushing = actions.add_parser("push", help="trust documents; prints the manifest as JSON")
    pushing.add_argument(
        "path", nargs="+", type=Path, help="a .graphql file, or a folder of such files"
    )
    pushing.add_argument(
        "--url",
        help=f"a running hub, such as https://hub.example; {KEY} has an admin key. Without it "
        "the database of this machine's settings is written",
    )
    actions.add_parser("list", help="print hash and name of each trusted document")
    actions.add_parser("remove", help="trust a document no longer").add_argument("sha256")


def run(database: Database, options: argparse.Namespace) -> None:
    """Do what the command says on this machine's database."""
    match options.action:
        case "push":
            _print(push_here(database, read(options.path)))
        case "list":
            for row in database.read_now(trusted_documents.listed):
                sys.stdout.write(f"{row['sha256']}  {row['name']}\n")
        case _:
            database.write_now(lambda tx: trusted_documents.remove(tx, options.sha256))


def push_remotely(options: argparse.Namespace) -> None:
    """Push documents to a running hub. Exits with its words where it refuses them."""
    if not (key := os.environ.get(KEY)):
        sys.exit(f"{KEY} is not set: put an admin key into it")
    texts = read(options.path)
    given = [{"name": name, "text": text} for name, text in texts.items()]
    # The same documents under the same key are pushed once, however often it is repeated.
    command_key = trusted_documents.sha256_of(orjson.dumps(given).decode())
    try:
        answer = httpx.post(
            f"{options.url.rstrip('/')}/graphql",
            json={"query": PUSH, "variables": {"key": command_key, "documents": given}},
            headers={"authorization": f"Bearer {key}"},
            timeout=SECONDS_MAX,
        )
        said = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        sys.exit(f"{options.url} does not answer as a hub: {type(error).__name__}: {error}")
    done = (said.get("data") or {}).get("done")
    if not done or "code" in done:
        problem = done or (said.get("errors") or [{"message": f"HTTP {answer.status_code}"}])[0]
        sys.exit(f"refused: {problem['message']}")
    _print({each["name"]: each["sha256"] for each in done["documents"]})


def push_here(database: Database, texts: Mapping[str, str]) -> dict[str, str]:
    """Check and trust documents; return the manifest, hashes by names. Raises InvalidInput."""
    public_documents.check(schema, texts.items())
    at = now()
    hashes = database.write_now(lambda tx: trusted_documents.push(tx, texts, ACTOR, at))
    return dict(zip(texts, hashes, strict=True))


def read(paths: Iterable[Path]) -> dict[str, str]:
    """Return the texts of files and of all .graphql files in folders, by their names.

    Raises InvalidInput for a path that is not there, or two files of one name.
    """
    found: dict[str, str] = {}
    for path in paths:
        files = sorted(path.rglob("*.graphql")) if path.is_dir() else [path]
        for file in files:
            if file.stem in found:
                raise InvalidInput(f"two files are named {file.stem}", field="path")
            try:
                found[file.stem] = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidInput(f"{file} cannot be read: {error}", field="path") from error
    if not found:
        raise InvalidInput("there is no .graphql file", field="path")
    return found


def _print(manifest: Mapping[str, str]) -> None:
    sys.stdout.write(orjson.dumps(dict(manifest), option=orjson.OPT_INDENT_2).decode() + "\n")
