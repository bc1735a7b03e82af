"""Trusted documents: the GraphQL documents that publishable keys may ask.

A shop pushes its documents when it is released; a page asks them by their SHA-256. What anybody
reads in a page asks nothing else.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from hub.clock import micros
from hub.errors import InvalidInput, UnknownReference
from hub.storage.rows import TrustedDocumentRow
from hub.storage.sql import Transaction

PUSHED_MAX = 200  # documents of one command
KEPT_MAX = 5_000
NAME_CHARS_MAX = 200
TEXT_CHARS_MAX = 100_000


def sha256_of(text: str) -> str:
    """Return the hash by which a document is asked."""
    return hashlib.sha256(text.encode()).hexdigest()


def push(tx: Transaction, documents: Mapping[str, str], actor: str, now: datetime) -> list[str]:
    """Store documents by their names; return their hashes, in the same order.

    The caller has validated them. A document that is stored already keeps its place under the new
    name. Raises InvalidInput for too many, or for names and texts that are too long.
    """
    if not 0 < len(documents) <= PUSHED_MAX:
        raise InvalidInput(f"push 1 to {PUSHED_MAX} documents", field="documents")
    for name, text in documents.items():
        if not name.strip() or len(name) > NAME_CHARS_MAX:
            raise InvalidInput(f"a name has 1 to {NAME_CHARS_MAX} characters", field="documents")
        if len(text) > TEXT_CHARS_MAX:
            raise InvalidInput(
                f"{name} has more than {TEXT_CHARS_MAX} characters", field="documents"
            )
    hashes = [sha256_of(text) for text in documents.values()]
    tx.run_many(
        "INSERT INTO trusted_document(sha256, name, text, pushed_by, pushed_at) "
        "VALUES(:sha256, :name, :text, :actor, :now) ON CONFLICT(sha256) DO UPDATE SET "
        "name = excluded.name, pushed_by = excluded.pushed_by, pushed_at = excluded.pushed_at",
        [
            {"sha256": sha256, "name": name, "text": text, "actor": actor[:100], "now": micros(now)}
            for sha256, (name, text) in zip(hashes, documents.items(), strict=True)
        ],
    )
    if tx.value("SELECT COUNT(*) FROM trusted_document") > KEPT_MAX:
        raise InvalidInput(f"at most {KEPT_MAX} documents are kept: remove some", field="documents")
    return hashes


def remove(tx: Transaction, sha256: str) -> None:
    """Trust a document no longer; raises UnknownReference."""
    if not tx.run("DELETE FROM trusted_document WHERE sha256 = :sha256", sha256=sha256):
        raise UnknownReference(f"there is no trusted document {sha256!r}", field="sha256")


def text_of(tx: Transaction, sha256: str) -> str | None:
    """Return the text of a trusted document; None if it is not trusted."""
    found: str | None = tx.value(
        "SELECT text FROM trusted_document WHERE sha256 = :sha256", sha256=sha256
    )
    return found


def listed(tx: Transaction) -> list[TrustedDocumentRow]:
    """Return all trusted documents, by name, then the newest first."""
    return tx.rows_as(
        TrustedDocumentRow,
        "SELECT * FROM trusted_document ORDER BY name, pushed_at DESC, sha256 LIMIT :max",
        max=KEPT_MAX,
    )
