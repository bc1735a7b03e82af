"""Mutations that are no movements: run once for their key, and tell whether it was now."""

from collections.abc import Callable
from typing import Any

from hub.commands import idempotency
from hub.commands.context import CommandContext
from hub.storage.sql import Transaction
from hub_api.common.context import Context


async def once(
    context: Context,
    command_context: CommandContext,
    key: str,
    name: str,
    given: Any,
    do: Callable[[Transaction, str], Any],
) -> idempotency.Answer:
    """Do something unless the key was used before; `do` takes the transaction and the command.

    `given` and what `do` returns are plain JSON values.
    """
    return await context.write(
        lambda tx: idempotency.once(
            tx,
            command_context,
            key=key,
            name=name,
            given=given,
            work=lambda command_id: do(tx, command_id),
        )
    )
