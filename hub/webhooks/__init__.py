"""Outgoing webhooks: partners are notified of events as they are recorded.

An endpoint is an address with a filter and a cursor over the event feed. The jobs create messages
for the events after the cursor (`hub.webhooks.messages`) and deliver them; recording an event does
none of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import orjson

from hub import cases
from hub.access.vault import Vault
from hub.cases import CaseKind
from hub.catalogue import reference
from hub.clock import micros, moment, new_id
from hub.commands.context import CommandContext
from hub.errors import Forbidden, InvalidInput, StepNotAllowed, UnknownReference
from hub.history import event_feed
from hub.history.event_feed import FeedEvent, Position
from hub.storage.documents import restriction
from hub.storage.rows import WebhookEndpointRow
from hub.storage.sql import Row, Transaction
from hub.webhooks import addresses, payload, signing
from hub.webhooks.signing import Signature

ENDPOINTS_MAX = 100  # each reads the feed for itself
TOPICS_MAX = len(payload.TOPICS)
SITES_MAX = 50
DESCRIPTION_CHARS_MAX = 200
REASON_CHARS_MAX = 300
OVERLAP_DEFAULT = timedelta(hours=24)
OVERLAP_MAX = timedelta(days=7)
RECOVERED_MAX = timedelta(days=30)  # as long as messages are kept


class EndpointState(StrEnum):
    """State of an endpoint: only active ones receive events."""

    ACTIVE = "active"
    DISABLED = "disabled"  # by a person, by its own answer 410, or after days of failing
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCard:
    """Settings of an endpoint: its address and its filter; an empty value does not filter.

    `sku`, `sites` and `client` are codes of the catalogue.
    """

    url: str
    description: str = ""
    topics: Sequence[str] = ()
    sku: str | None = None
    sites: Sequence[str] = ()
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """The events that an endpoint receives, by ids."""

    topics: frozenset[str]
    product_id: str | None
    site_ids: frozenset[str]
    client_id: str | None

    @classmethod
    def of(cls, endpoint: WebhookEndpointRow) -> "Filter":
        """Return the filter of an endpoint."""
        return cls(
            topics=restriction(endpoint["topics"]),
            product_id=endpoint["product_id"],
            site_ids=restriction(endpoint["site_ids"]),
            client_id=endpoint["client_id"],
        )

    def choose(self, tx: Transaction, events: Sequence[FeedEvent]) -> list[FeedEvent]:
        """Return the events that match the filter, in their order."""
        wanted = [event for event in events if self._wants(event)]
        return event_feed.shown_to(tx, wanted, self.client_id) if self.client_id else wanted

    def _wants(self, event: FeedEvent) -> bool:
        if self.topics and payload.topic_of(event) not in self.topics:
            return False
        if self.product_id not in (None, event["product_id"]):
            return False
        return not self.site_ids or not self.site_ids.isdisjoint(
            (event["to_site"], event["from_site"])
        )


def create(
    tx: Transaction,
    context: CommandContext,
    card: EndpointCard,
    sealed: str,
    *,
    private: bool = False,
) -> str:
    """Create an endpoint that receives the events from now on; return its id.

    `sealed` are its secrets (`seal`); `private` permits addresses of private networks. Raises
    InvalidInput for a bad address, topic or description, UnknownReference for an unknown code.
    """
    count = tx.value("SELECT COUNT(*) FROM webhook_endpoint WHERE state <> 'deleted'")
    if count >= ENDPOINTS_MAX:
        raise InvalidInput(f"there are at most {ENDPOINTS_MAX} endpoints", field="url")
    endpoint_id, here, now = new_id(), event_feed.end(tx), micros(context.now)
    tx.run(
        "INSERT INTO webhook_endpoint(id, url, description, topics, product_id, site_ids, "
        "client_id, secrets, cursor_transaction, cursor_seq, created_by, created_at, changed_at) "
        "VALUES(:id, :url, :description, :topics, :product, :sites, :client, :secrets, "
        ":transaction, :seq, :actor, :now, :now)",
        id=endpoint_id,
        secrets=sealed,
        transaction=here.transaction,
        seq=here.seq,
        actor=context.actor,
        now=now,
        **_columns(tx, card, private=private),
    )
    tx.wake("webhooks")
    return endpoint_id


def change(
    tx: Transaction,
    context: CommandContext,
    endpoint_id: str,
    card: EndpointCard,
    *,
    private: bool = False,
) -> None:
    """Change the address and the filter of an endpoint; its secret and its cursor stay."""
    get(tx, endpoint_id)
    tx.run(
        "UPDATE webhook_endpoint SET url = :url, description = :description, topics = :topics, "
        "product_id = :product, site_ids = :sites, client_id = :client, changed_at = :now "
        "WHERE id = :id",
        id=endpoint_id,
        now=micros(context.now),
        **_columns(tx, card, private=private),
    )
    tx.wake("webhooks")


def _columns(tx: Transaction, card: EndpointCard, *, private: bool) -> dict[str, str | None]:
    if len(card.description) > DESCRIPTION_CHARS_MAX:
        text = f"a description has at most {DESCRIPTION_CHARS_MAX} characters"
        raise InvalidInput(text, field="description")
    unknown = sorted(set(card.topics) - set(payload.TOPICS))
    if unknown:
        raise InvalidInput(f"there is no topic {unknown[0][:60]!r}", field="topics")
    if len(card.sites) > SITES_MAX:
        raise InvalidInput(f"an endpoint names at most {SITES_MAX} sites", field="sites")
    sites = [reference(tx, "location", "code", code)["site_id"] for code in card.sites]
    return {
        "url": addresses.checked(card.url, private=private),
        "description": card.description,
        "topics": orjson.dumps(sorted(set(card.topics))).decode(),
        "product": reference(tx, "product", "sku", card.sku)["id"] if card.sku else None,
        "sites": orjson.dumps(sites).decode() if sites else None,
        "client": reference(tx, "client", "code", card.client)["id"] if card.client else None,
    }


def get(tx: Transaction, endpoint_id: str, client_id: str | None = None) -> WebhookEndpointRow:
    """Return an endpoint.

    Raises UnknownReference if there is none; for a client, Forbidden if it is not the client's,
    whether it exists or not.
    """
    row = tx.row_as(
        WebhookEndpointRow,
        "SELECT * FROM webhook_endpoint WHERE id = :id AND state <> 'deleted'",
        id=endpoint_id,
    )
    if client_id is not None and (row is None or row["client_id"] != client_id):
        raise Forbidden("a client sees what is its own", needs="ops")
    if row is None:
        raise UnknownReference("there is no such endpoint", field="id")
    return row


def find(tx: Transaction, endpoint_id: str) -> WebhookEndpointRow | None:
    """Return an endpoint in any state, deleted ones included."""
    return tx.row_as(
        WebhookEndpointRow, "SELECT * FROM webhook_endpoint WHERE id = :id", id=endpoint_id
    )


def listed(tx: Transaction, client_id: str | None = None) -> list[WebhookEndpointRow]:
    """Return all endpoints, or those of a client, the oldest first."""
    only = " AND client_id = :client" if client_id else ""
    values = {"client": client_id} if client_id else {}
    return tx.rows_as(
        WebhookEndpointRow,
        f"SELECT * FROM webhook_endpoint WHERE state <> 'deleted'{only} ORDER BY id",
        **values,
    )


# --- Secrets --------------------------------------------------------------------------------


def seal(vault: Vault, secret: str, old: str | None = None, until: datetime | None = None) -> str:
    """Seal a secret, with the replaced one and the time until which that one still signs."""
    kept = {"secret": secret}
    if old is not None and until is not None:
        kept |= {"old": old, "until": until.isoformat()}
    return vault.seal(kept)


def keys_of(opened: dict[str, str], now: datetime) -> list[str]:
    """Return the secrets that sign a message now, the current one first."""
    keys = [opened["secret"]]
    if "old" in opened and datetime.fromisoformat(opened["until"]) > now:
        keys.append(opened["old"])
    return keys


def rotate(
    tx: Transaction,
    context: CommandContext,
    vault: Vault,
    endpoint_id: str,
    secret: str,
    overlap: timedelta = OVERLAP_DEFAULT,
) -> None:
    """Replace a secret; during the overlap messages carry the signatures of both.

    Raises InvalidInput for an overlap out of bounds, UnknownReference for an unknown endpoint.
    """
    if not timedelta() <= overlap <= OVERLAP_MAX:
        raise InvalidInput(f"an overlap is 0 to {OVERLAP_MAX.days} days", field="overlapHours")
    endpoint = get(tx, endpoint_id)
    old = vault.open(endpoint["secrets"])["secret"]
    tx.run(
        "UPDATE webhook_endpoint SET secrets = :secrets, changed_at = :now WHERE id = :id",
        secrets=seal(vault, secret, old, context.now + overlap),
        now=micros(context.now),
        id=endpoint_id,
    )


# --- Enabling and disabling -----------------------------------------------------------------


def disable(tx: Transaction, endpoint_id: str, reason: str, now: datetime) -> None:
    """Stop the delivery to an endpoint; its messages and its cursor stay."""
    tx.run(
        "UPDATE webhook_endpoint SET state = 'disabled', disabled_reason = :reason, "
        "disabled_at = :now, changed_at = :now WHERE id = :id AND state = 'active'",
        reason=reason[:REASON_CHARS_MAX],
        now=micros(now),
        id=endpoint_id,
    )


def enable(
    tx: Transaction, context: CommandContext, endpoint_id: str, *, skip_missed: bool = False
) -> None:
    """Resume the delivery to an endpoint from its cursor or, with `skip_missed`, from now on."""
    get(tx, endpoint_id)
    now = micros(context.now)
    tx.run(
        "UPDATE webhook_endpoint SET state = 'active', disabled_reason = NULL, "
        "disabled_at = NULL, failures = 0, failing_since = NULL, rests_until = 0, "
        "changed_at = :now WHERE id = :id",
        now=now,
        id=endpoint_id,
    )
    if skip_missed:
        _move(tx, endpoint_id, event_feed.end(tx))
        tx.run(
            "UPDATE webhook_message SET state = 'given_up', settled_at = :now, "
            "last_error = 'skipped when the endpoint was enabled' "
            "WHERE endpoint_id = :id AND state = 'waiting'",
            now=now,
            id=endpoint_id,
        )
    else:
        _due_now(tx, endpoint_id, now)
    cases.settle(tx, CaseKind.WEBHOOK_FAILING, endpoint_id, None, context.now)
    tx.wake("webhooks")


def _due_now(tx: Transaction, endpoint_id: str, now: int) -> None:
    tx.run(
        "UPDATE webhook_message SET due_at = :now, attempts = 0 "
        "WHERE endpoint_id = :id AND state = 'waiting'",
        now=now,
        id=endpoint_id,
    )


def remove(tx: Transaction, context: CommandContext, endpoint_id: str) -> None:
    """Delete an endpoint: its address and secrets at once, its messages after a month."""
    get(tx, endpoint_id)
    now = micros(context.now)
    tx.run(
        "UPDATE webhook_endpoint SET state = 'deleted', url = '', secrets = '', "
        "changed_at = :now WHERE id = :id",
        now=now,
        id=endpoint_id,
    )
    tx.run(
        "UPDATE webhook_message SET state = 'given_up', settled_at = :now, "
        "last_error = 'the endpoint was deleted' WHERE endpoint_id = :id AND state = 'waiting'",
        now=now,
        id=endpoint_id,
    )
    cases.settle(tx, CaseKind.WEBHOOK_FAILING, endpoint_id, None, context.now)


# --- Recovery -------------------------------------------------------------------------------


def recover(tx: Transaction, context: CommandContext, endpoint_id: str, since: datetime) -> None:
    """Send all events recorded since a time again, under the same message ids.

    The cursor goes back to that time. Raises StepNotAllowed for a disabled endpoint, InvalidInput
    for a time out of bounds.
    """
    endpoint = get(tx, endpoint_id)
    if endpoint["state"] != EndpointState.ACTIVE:
        raise StepNotAllowed("the endpoint is disabled", allowed=["enableWebhook"])
    if not context.now - RECOVERED_MAX <= since <= context.now:
        text = f"a recovery begins in the last {RECOVERED_MAX.days} days"
        raise InvalidInput(text, field="since")
    back = event_feed.at(tx, since)
    if back < Position(endpoint["cursor_transaction"], endpoint["cursor_seq"]):
        _move(tx, endpoint_id, back)
    tx.run(
        # Messages about the hub's service are in no feed.
        "UPDATE webhook_message SET state = 'waiting', settled_at = NULL "
        "WHERE endpoint_id = :id AND topic IN (:topics...) AND created_at >= :since",
        id=endpoint_id,
        topics=[str(topic) for topic in payload.ServiceTopic],
        since=micros(since),
    )
    tx.run(
        "UPDATE webhook_endpoint SET rests_until = 0, changed_at = :now WHERE id = :id",
        now=micros(context.now),
        id=endpoint_id,
    )
    _due_now(tx, endpoint_id, micros(context.now))
    tx.wake("webhooks")


def _move(tx: Transaction, endpoint_id: str, position: Position) -> None:
    tx.run(
        "UPDATE webhook_endpoint SET cursor_transaction = :transaction, cursor_seq = :seq "
        "WHERE id = :id",
        transaction=position.transaction,
        seq=position.seq,
        id=endpoint_id,
    )


def resting_until(endpoint: WebhookEndpointRow | Row) -> datetime | None:
    """Return the time until which nothing is sent to an endpoint, if any."""
    return moment(endpoint["rests_until"]) if endpoint["rests_until"] else None


def new_secret(kind: Signature, given: str | None) -> str:
    """Return the secret that a partner supplies, or a new one; raises InvalidInput."""
    if given is None:
        return signing.new_secret(kind)
    if kind is not Signature.HMAC:
        raise InvalidInput("only a shared secret can be supplied", field="secret")
    return signing.checked(given)
