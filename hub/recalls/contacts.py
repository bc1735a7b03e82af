"""Contacts that channels show of their buyers: kept when a recall asked for them."""

from hub.access.vault import Vault
from hub.commands.context import CommandContext
from hub.recalls import notices, people
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.sync.channels import can
from hub.vocabulary import Contact


def keep(
    tx: Transaction, context: CommandContext, vault: Vault, notice_id: str, contact: Contact | None
) -> None:
    """Keep the contact that a channel showed for a notice, sealed, and send the notice to it.

    Where the channel shows no usable address, or the recall's channel sends no messages, the notice
    is unreachable and a case is opened. Nothing is kept of a person who was erased meanwhile.
    """
    row = notices.asked_contact(tx, notice_id)
    if row is None:
        return
    found = people.usable(contact) if contact is not None else None
    if found is None:
        why = "the channel shows no address"
    elif row["channel_id"] is None or not can(channels.by_id(tx, row["channel_id"]), "send_notice"):
        why = "its channel sends no messages"
    else:
        people.put(tx, context, vault, row["customer_ref"], found)
        return
    notices.unreachable(tx, row["ref"], row["customer_ref"], why, context.now)
