"""People: sealed contacts of customers, stored apart from the ledger.

Orders and events identify a customer by a pseudonym only. Erasing a person keeps the pseudonym and
the time and changes no event, so the hash chain of the ledger stays valid.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hub.access.vault import Vault
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.recalls import buyers, notices
from hub.recalls.rows import PersonRef
from hub.storage.rows import PersonRow
from hub.storage.sql import Transaction
from hub.sync import inbox_retention
from hub.vocabulary import Contact

REF_CHARS_MAX = 200
NAME_CHARS_MAX = 200
EMAIL_CHARS_MAX = 254  # RFC 5321
REASON_CHARS_MAX = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_LANGUAGE = re.compile(r"[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*")  # BCP 47


def put(tx: Transaction, context: CommandContext, vault: Vault, ref: str, contact: Contact) -> None:
    """Store the contact of a person, sealed, in place of the earlier one.

    Failed notices of open recalls are sent again. Raises InvalidInput for an invalid contact,
    StepNotAllowed for an erased person.
    """
    if not 0 < len(ref.strip()) <= REF_CHARS_MAX:
        raise InvalidInput(f"a reference has 1 to {REF_CHARS_MAX} characters", field="ref")
    _check(contact)
    known = tx.row("SELECT erased_at FROM person WHERE ref = :ref FOR UPDATE", ref=ref)
    if known is not None and known["erased_at"] is not None:
        raise StepNotAllowed("this person was erased: nothing is kept under this reference")
    sealed = vault.seal(
        {
            "name": contact.name,
            "email": contact.email,
            "phone": contact.phone,
            "language": contact.language,
        }
    )
    kept = tx.row(
        "INSERT INTO person(ref, contact, changed_at) VALUES(:ref, :contact, :now) "
        "ON CONFLICT(ref) DO UPDATE SET contact = excluded.contact, "
        "changed_at = excluded.changed_at WHERE person.erased_at IS NULL RETURNING ref",
        ref=ref,
        contact=sealed,
        now=micros(context.now),
    )
    if kept is None:  # erased in the same moment
        raise StepNotAllowed("this person was erased: nothing is kept under this reference")
    notices.reached_again(tx, context, ref)


def _check(contact: Contact) -> None:
    if len(contact.name) > NAME_CHARS_MAX:
        raise InvalidInput(f"a name has at most {NAME_CHARS_MAX} characters", field="name")
    if not contact.email and not contact.phone:
        raise InvalidInput("give an e-mail address or a telephone number", field="email")
    if contact.email is not None and not _is_email(contact.email):
        # The message does not repeat the input: it may end in a log.
        raise InvalidInput("this is no e-mail address", field="email")
    if contact.phone is not None and not _PHONE.fullmatch(contact.phone):
        raise InvalidInput("a number is written like +4930123456 (E.164)", field="phone")
    if not _LANGUAGE.fullmatch(contact.language):
        raise InvalidInput("a language is written like de or pt-BR (BCP 47)", field="language")


def usable(contact: Contact) -> Contact | None:
    """Return what can be kept of a contact that a channel showed; None without an address."""
    email = contact.email if contact.email and _is_email(contact.email) else None
    phone = re.sub(r"[\s().-]", "", contact.phone or "")
    number = phone if _PHONE.fullmatch(phone) else None
    if email is None and number is None:
        return None
    language = contact.language if _LANGUAGE.fullmatch(contact.language) else "en"
    name = contact.name[:NAME_CHARS_MAX]
    return Contact(name=name, email=email, phone=number, language=language)


def _is_email(text: str) -> bool:
    return len(text) <= EMAIL_CHARS_MAX and _EMAIL.fullmatch(text) is not None


def by_ref(tx: Transaction, ref: str) -> PersonRow:
    """Return a person; raises UnknownReference."""
    row = tx.row_as(PersonRow, "SELECT * FROM person WHERE ref = :ref", ref=ref)
    if row is None:
        raise UnknownReference(f"there is no person {ref!r}", field="ref")
    return row


def contact_of(opened: Mapping[str, Any]) -> Contact:
    """Return a contact from its unsealed values."""
    return Contact(**opened)


def redacted(text: str, contact: Contact) -> str:
    """Return a text with the values of a contact removed."""
    for value in (contact.email, contact.phone, contact.name):
        if value:
            text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    return text


def is_known(tx: Transaction, ref: str) -> bool:
    """Return whether there is a person of this reference who is not erased."""
    found = tx.value("SELECT 1 FROM person WHERE ref = :ref AND erased_at IS NULL", ref=ref)
    return bool(found)


def erase(
    tx: Transaction,
    context: CommandContext,
    ref: str,
    reason: str,
    unseal: Callable[[str], Mapping[str, Any]],
) -> None:
    """Delete the contact of a person and the personal data in notices; cancel waiting messages.

    A plain reference also means the buyers of channels who are known by it with the channel's code.
    Deliveries of channels that hold the address or the number of the person lose it (`unseal`
    opens the contact for that), and the person's orders lose their addresses. The pseudonym and the
    time stay. Raises InvalidInput without a reason, UnknownReference for an unknown person,
    StepNotAllowed for an erased one.
    """
    if not 0 < len(reason.strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(f"say why, in 1 to {REASON_CHARS_MAX} characters", field="reason")
    everywhere = buyers.refs_of(tx, ref)
    named = tx.rows_as(
        PersonRef,
        "SELECT ref FROM person WHERE ref IN (:refs...) UNION "
        "SELECT customer_ref AS ref FROM recall_unit WHERE customer_ref IN (:refs...)",
        refs=everywhere,
    )
    if not named:
        by_ref(tx, ref)  # raises
    done = [_erase(tx, context, each, reason, unseal) for each in {ref, *(r["ref"] for r in named)}]
    if not any(done):
        raise StepNotAllowed("this person was erased already")


def forget(
    tx: Transaction,
    context: CommandContext,
    refs: Iterable[str],
    reason: str,
    unseal: Callable[[str], Mapping[str, Any]],
) -> None:
    """Erase those of some people whom the hub knows, by a contact or by a recall, as `erase`."""
    for ref in refs:
        recalled = "SELECT 1 FROM recall_unit WHERE customer_ref = :ref"
        if is_known(tx, ref) or tx.value(recalled, ref=ref):
            _erase(tx, context, ref, reason, unseal)


def _erase(
    tx: Transaction,
    context: CommandContext,
    ref: str,
    reason: str,
    unseal: Callable[[str], Mapping[str, Any]],
) -> bool:
    """Erase one person, also one of whom nothing was kept yet; return whether that is new."""
    now = micros(context.now)
    known = tx.row_as(PersonRow, "SELECT * FROM person WHERE ref = :ref FOR UPDATE", ref=ref)
    done = tx.run(
        "INSERT INTO person(ref, contact, changed_at, erased_at, erased_by, erased_because) "
        "VALUES(:ref, NULL, :now, :now, :actor, :reason) ON CONFLICT(ref) DO UPDATE SET "
        "contact = NULL, changed_at = excluded.changed_at, erased_at = excluded.erased_at, "
        "erased_by = excluded.erased_by, erased_because = excluded.erased_because "
        "WHERE person.erased_at IS NULL",
        now=now,
        actor=context.actor,
        reason=reason,
        ref=ref,
    )
    if not done:
        return False
    notices.forget(tx, ref)
    tx.run(
        "UPDATE checkout SET address = NULL WHERE order_id IN "
        "(SELECT id FROM sales_order WHERE customer_ref = :ref)",
        ref=ref,
    )
    if known is not None and known["contact"]:
        contact = contact_of(unseal(known["contact"]))
        said = [each for each in (contact.email, contact.phone) if each]
        inbox_retention.forget_person(tx, said)
    return True
