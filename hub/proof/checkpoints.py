"""Checkpoints: signatures over the whole ledger, in sections, so that deletions are detectable.

The hash chain of a unit reveals a changed event or one removed from the middle; a checkpoint
reveals one removed from the end, or a removed unit. Each covers the events since its predecessor,
in commit order, by the root of their Merkle tree, names its predecessor, and is signed with
Ed25519. The signing key is derived from the hub's secret key.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.access.vault import Vault
from hub.clock import micros, new_id
from hub.ledger import event_views
from hub.ledger.hash_chain import GENESIS
from hub.proof import merkle
from hub.storage.rows import CheckpointRow
from hub.storage.sql import Row, Transaction

EVENTS_MAX = 10_000  # of one checkpoint, so that the proof of one event stays short
PURPOSE = "signing checkpoints"
NUMBER_MAX = 2**53  # of a checkpoint that somebody can have counted
SIGNED = ("number", "events", "root", "previous_hash", "made_at")


class Signer:
    """Signs with the hub's key."""

    def __init__(self, vault: Vault) -> None:
        keys = [
            Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
            for seed in vault.derive_all(PURPOSE)
        ]
        self._key = keys[0]
        self.trusted = {_text(key) for key in keys}  # the current key, and earlier ones

    def __repr__(self) -> str:
        return f"Signer({self.public_key})"

    @property
    def public_key(self) -> str:
        """Return the public key in base64: what others need to verify."""
        return _text(self._key)

    def sign(self, digest: str) -> str:
        """Sign a hexadecimal digest; the signature is in base64."""
        return base64.b64encode(self._key.sign(bytes.fromhex(digest))).decode()


def _text(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def is_signed(digest: str, signature: str, public_key: str) -> bool:
    """Return whether a signature over the digest is valid for the key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(signature), bytes.fromhex(digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def digest(checkpoint: Mapping[str, Any]) -> str:
    """Compute the hash that is signed: SHA-256 over the JSON array of the fields in `SIGNED`."""
    return hashlib.sha256(orjson.dumps([checkpoint[name] for name in SIGNED])).hexdigest()


def make(tx: Transaction, signer: Signer, now: datetime) -> int:
    """Sign the next events since the last checkpoint, up to EVENTS_MAX; return their number."""
    # By the id, which is ordered in time: a number that somebody spoilt stops no later checkpoint.
    last = tx.row_as(CheckpointRow, "SELECT * FROM checkpoint ORDER BY id DESC LIMIT 1 FOR UPDATE")
    here = (last["through_transaction"], last["through_seq"]) if last else (0, 0)
    events = event_views.sealed_after(tx, *here, limit=EVENTS_MAX)
    if not events:
        return 0
    checkpoint = {
        "number": _following(tx, last),
        "events": len(events),
        "root": merkle.root([event["hash"] for event in events]),
        "previous_hash": last["hash"] if last else GENESIS,
        "made_at": micros(now),
    }
    sealed = digest(checkpoint)
    tx.run(
        "INSERT INTO checkpoint(id, number, events, root, previous_hash, made_at, hash, signature, "
        "public_key, through_transaction, through_seq) VALUES(:id, :number, :events, :root, "
        ":previous_hash, :made_at, :hash, :signature, :public_key, :transaction_id, :seq)",
        id=new_id(),
        hash=sealed,
        signature=signer.sign(sealed),
        public_key=signer.public_key,
        transaction_id=events[-1]["transaction_id"],
        seq=events[-1]["seq"],
        **checkpoint,
    )
    return len(events)


def _following(tx: Transaction, last: CheckpointRow | None) -> int:
    if last is not None and 0 < last["number"] < NUMBER_MAX:
        return last["number"] + 1
    return int(tx.value("SELECT COUNT(*) FROM checkpoint")) + 1


@dataclass(slots=True)
class Checked:
    """Result of a verification of the checkpoints; valid if `breaks` is empty."""

    checkpoints: int
    breaks: list[str]


def verify(tx: Transaction, public_keys: set[str]) -> Checked:
    """Verify every checkpoint: its events, its predecessor, and its signature by a trusted key."""
    breaks, previous, here = [], GENESIS, (0, 0)
    rows = tx.rows_as(CheckpointRow, "SELECT * FROM checkpoint ORDER BY number")
    for number, row in enumerate(rows, start=1):
        signed = min(max(row["events"], 0), EVENTS_MAX)  # what says otherwise breaks the signature
        events = event_views.sealed_after(tx, *here, limit=signed)
        here = (row["through_transaction"], row["through_seq"])
        breaks += [f"checkpoint {row['number']}: {what}" for what in _wrong(row, events)]
        if row["number"] != number or row["previous_hash"] != previous:
            breaks.append(f"checkpoint {row['number']} does not follow its predecessor")
        if row["public_key"] not in public_keys:
            breaks.append(f"checkpoint {row['number']} was signed with a key that is not trusted")
        previous = row["hash"]
    return Checked(len(rows), breaks)


def _wrong(row: CheckpointRow, events: Sequence[Row]) -> list[str]:
    hashes = [event["hash"] for event in events]
    last = (events[-1]["transaction_id"], events[-1]["seq"]) if events else None
    found = []
    if not hashes or merkle.root(hashes) != row["root"]:
        found.append("the events are not those that were signed")
    if last != (row["through_transaction"], row["through_seq"]):
        found.append("events are missing or were slipped in")
    if digest(row) != row["hash"] or not is_signed(
        row["hash"], row["signature"], row["public_key"]
    ):
        found.append("the signature is wrong")
    return found
