"""Custody certificate of one unit: its whole history with the proof of its signatures.

Anyone with the hub's public key can verify it without the hub: the seal of each event, the chain
from the first to the last, the path of each event to the root of its checkpoint, and the
signatures. The certificate is signed as a whole: every fact that it states is covered, and its last
events can not be omitted.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

import orjson

from hub.clock import moment
from hub.ledger import event_views, units
from hub.ledger.hash_chain import GENESIS, SEALED, seal
from hub.proof import checkpoints, merkle
from hub.proof.checkpoints import Signer
from hub.storage.rows import CheckpointRow
from hub.storage.sql import Row, Transaction

FORMAT = "serial-hub/custody-certificate/2"
SHOWN = ("id", "serial", "sku", "product_name", "maker_code", "status", "disposition")


def issue(
    tx: Transaction, signer: Signer, identifier: str, sku: str | None, now: datetime
) -> dict[str, Any]:
    """Return the certificate of a unit; events without a checkpoint have the proof None.

    Raises UnknownUnit or AmbiguousUnit.
    """
    unit: Row = units.find(tx, identifier, sku)
    events: Sequence[Row] = event_views.history(tx, [unit["id"]])[unit["id"]]
    covering = {event["id"]: _covering(tx, event) for event in events}
    rows = {row["number"]: row for row in covering.values() if row is not None}
    leaves = {number: _leaves(tx, row) for number, row in rows.items()}
    paper = {
        "format": FORMAT,
        "issued_at": now.isoformat(),
        "unit": {name: unit[name] for name in SHOWN},
        "events": [
            {
                **{name: event[name] for name in (*SEALED, "hash")},
                "from": event["from_code"],
                "to": event["to_code"],
                "proof": _proof(event, covering[event["id"]], leaves),
            }
            for event in events
        ],
        "checkpoints": [
            _public(row) for row in sorted(rows.values(), key=lambda row: row["number"])
        ],
    }
    paper["public_key"] = signer.public_key
    return paper | {"signature": signer.sign(_digest(paper))}


class _Through(TypedDict):
    through_transaction: int
    through_seq: int


def _public(checkpoint: Mapping[str, object]) -> dict[str, object]:
    shown = (*checkpoints.SIGNED, "hash", "signature", "public_key")
    return {name: checkpoint[name] for name in shown}


def _digest(paper: dict[str, Any]) -> str:
    """Return the SHA-256 of everything that the certificate states, but the signature itself."""
    content = {name: value for name, value in paper.items() if name != "signature"}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _covering(tx: Transaction, event: Row) -> CheckpointRow | None:
    return tx.row_as(
        CheckpointRow,
        "SELECT * FROM checkpoint WHERE (through_transaction, through_seq) >= "
        "(:transaction_id, :seq) ORDER BY number LIMIT 1",
        transaction_id=event["transaction_id"],
        seq=event["seq"],
    )


def _leaves(tx: Transaction, row: CheckpointRow) -> list[str]:
    before = tx.row_as(
        _Through,
        "SELECT through_transaction, through_seq FROM checkpoint WHERE number = :number",
        number=row["number"] - 1,
    )
    here = (before["through_transaction"], before["through_seq"]) if before else (0, 0)
    return [event["hash"] for event in event_views.sealed_after(tx, *here, limit=row["events"])]


def _proof(
    event: Row, checkpoint: CheckpointRow | None, leaves: dict[int, list[str]]
) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    hashes = leaves[checkpoint["number"]]
    path = merkle.path(hashes, hashes.index(event["hash"]))
    return {"checkpoint": checkpoint["number"], "path": path}


def problems(certificate: dict[str, Any], public_key: str) -> list[str]:
    """Verify a certificate without the hub; return its problems, an empty list if it is valid.

    An event without a proof is a problem: it is sealed, but not yet signed.
    """
    try:
        found = _chain_problems(certificate)
        found += _signature_problems(certificate, public_key)
        found += _proof_problems(certificate)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return [f"this is no certificate of the format {FORMAT}: {error!r}"]
    return found


def _chain_problems(certificate: dict[str, Any]) -> list[str]:
    found, previous = [], GENESIS
    if certificate["format"] != FORMAT:
        found.append(f"unknown format {certificate['format']!r}")
    for version, event in enumerate(certificate["events"], start=1):
        if seal(event) != event["hash"]:
            found.append(f"event {version} was changed after it was sealed")
        if event["version"] != version or event["previous_hash"] != previous:
            found.append(f"event {version} does not follow its predecessor")
        if event["unit_id"] != certificate["unit"]["id"]:
            found.append(f"event {version} is of another unit")
        previous = event["hash"]
    last = certificate["events"][-1]
    return found + [
        f"the {name} of the unit is not what its events say"
        for name in ("status", "disposition")
        if certificate["unit"][name] != last[name]
    ]


def _signature_problems(certificate: dict[str, Any], public_key: str) -> list[str]:
    found = [
        f"checkpoint {row['number']} is not signed by this key"
        for row in certificate["checkpoints"]
        if checkpoints.digest(row) != row["hash"]
        or not checkpoints.is_signed(row["hash"], row["signature"], public_key)
    ]
    if not checkpoints.is_signed(_digest(certificate), certificate["signature"], public_key):
        found.append("the certificate is not signed by this key, or was changed")
    return found


def _proof_problems(certificate: dict[str, Any]) -> list[str]:
    roots = {row["number"]: row["root"] for row in certificate["checkpoints"]}
    found = []
    for event in certificate["events"]:
        proof, when = event["proof"], moment(event["recorded_at"])
        if proof is None:
            found.append(f"event {event['version']} ({when:%Y-%m-%d %H:%M}) is not yet signed")
        elif merkle.climb(event["hash"], proof["path"]) != roots[proof["checkpoint"]]:
            found.append(f"event {event['version']} is not among the events that were signed")
    return found
