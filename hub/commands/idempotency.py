"""Idempotent commands: the same key and the same input give the first answer again.

A key lives as long as the ledger. Keys of two users never meet: they are scoped by the API key.
"""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, KeyReused
from hub.storage.sql import Transaction

KEY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answered, now or the first time."""

    value: Any
    replayed: bool
    command_id: str


def once(
    tx: Transaction,
    context: CommandContext,
    *,
    key: str,
    name: str,
    given: Any,
    work: Callable[[str], Any],
) -> Answer:
    """Do `work` unless `key` was used before; give the first answer again if it was.

    `given` is the input in plain JSON values; `work` takes the command's id and returns plain JSON
    values. Raises KeyReused when the key was used with another input, InvalidInput for a key that
    is empty or too long. Refusals are not kept: nothing happened, so the key stays free.
    """
    answered = seen(tx, context, key=key, name=name, given=given)
    if answered is not None:
        return answered
    command_id = new_id()
    value = work(command_id)
    tx.send(
        "INSERT INTO command(id, scope, key, digest, answer, recorded_at) "
        "VALUES(:id, :scope, :key, :digest, :answer, :recorded_at)",
        id=command_id,
        scope=context.scope,
        key=key,
        digest=_digest(name, given),
        answer=zlib.compress(orjson.dumps(value), 1),
        recorded_at=micros(context.now),
    )
    return Answer(value, False, command_id)


def seen(
    tx: Transaction, context: CommandContext, *, key: str, name: str, given: Any
) -> Answer | None:
    """Return the first answer of a key that was used before; raises like `once`."""
    if not 0 < len(key) <= KEY_CHARS_MAX:
        raise InvalidInput(
            f"an idempotency key has 1 to {KEY_CHARS_MAX} characters", field="idempotencyKey"
        )
    row = tx.row(
        "SELECT id, digest, answer FROM command WHERE scope = :scope AND key = :key",
        scope=context.scope,
        key=key,
    )
    if row is None:
        return None
    if row["digest"] != _digest(name, given):
        raise KeyReused(key=key)
    return Answer(orjson.loads(zlib.decompress(row["answer"])), True, row["id"])


def _digest(name: str, given: Any) -> str:
    plain = orjson.dumps([name, given], option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(plain).hexdigest()
