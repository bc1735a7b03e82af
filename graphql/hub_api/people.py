"""People: how to reach customers, kept sealed and apart from the ledger; and their erasure."""

import hashlib
import hmac
from datetime import datetime

import orjson
import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.recalls import people
from hub.storage.sql import Row, Transaction
from hub.vocabulary import Contact
from hub_api.context import Context
from hub_api.once import once
from hub_api.problems import answer

Info = strawberry.Info[Context, None]


@strawberry.type(description="How a person can be reached.")
class PersonContact:
    """How a person can be reached."""

    name: str
    email: str | None
    phone: str | None
    language: str


@strawberry.type(description="A customer, known to orders and events by a pseudonym only.")
class Person:
    """A customer."""

    ref: str = strawberry.field(description="The pseudonym that orders carry.")
    reachable: bool
    changed_at: datetime
    erased_at: datetime | None
    erased_by: str | None
    erased_because: str | None
    sealed: strawberry.Private[str | None]

    @classmethod
    def of(cls, row: Row) -> "Person":
        """Show a row."""
        return cls(
            ref=row["ref"],
            reachable=row["contact"] is not None,
            changed_at=moment(row["changed_at"]),
            erased_at=moment(row["erased_at"]) if row["erased_at"] else None,
            erased_by=row["erased_by"],
            erased_because=row["erased_because"],
            sealed=row["contact"],
        )

    @strawberry.field(description="For keys with the scope ADMIN; null if the person was erased.")
    async def contact(self, info: Info) -> PersonContact | None:
        """Open how to reach the person."""
        info.context.require(Scope.ADMIN)
        if self.sealed is None:
            return None
        found = people.contact_of(info.context.vault.open(self.sealed))
        return PersonContact(
            name=found.name, email=found.email, phone=found.phone, language=found.language
        )


@strawberry.type(description="A person who was kept or erased.")
class PersonChange:
    """A person who was kept or erased."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    person: Person


PersonChangeResult = answer("PersonChangeResult", PersonChange)


async def _shown(info: Info, ref: str) -> Person:
    return Person.of(await info.context.read(lambda tx: people.by_ref(tx, ref)))


@strawberry.type
class PersonQuery:
    """Reading people."""

    @strawberry.field(description="A customer by the pseudonym that orders carry.")
    async def person(self, info: Info, ref: str) -> Person:
        """Find a person."""
        info.context.require(Scope.OPS)
        return await _shown(info, ref)


@strawberry.type
class PersonMutation:
    """Commands about people."""

    @strawberry.mutation(
        description="Keep how to reach a customer, encrypted; whom an open recall could not reach "
        "before is told then.",
        graphql_type=PersonChangeResult,
    )
    async def upsert_contact(
        self,
        info: Info,
        idempotency_key: str,
        ref: str,
        name: str = "",
        email: str | None = None,
        phone: str | None = None,
        language: str = "en",
    ) -> PersonChange:
        """Keep how to reach a person."""
        info.context.require(Scope.OPS)
        contact = Contact(name=name, email=email, phone=phone, language=language)
        vault, context = info.context.vault, info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            people.put(tx, context, vault, ref, contact)
            return ref

        # What is kept of the input can not be guessed without the hub's key.
        told = orjson.dumps([name, email, phone, language])
        digest = hmac.new(vault.derive("people").encode(), told, hashlib.sha256).hexdigest()
        done = await once(
            info.context, context, idempotency_key, "upsert_contact", [ref, digest], do
        )
        return PersonChange(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            person=await _shown(info, ref),
        )

    @strawberry.mutation(
        description="Erase a person: how to reach him is gone for good, from here and from what "
        "notices kept. The ledger is not touched, and still proves what it proved.",
        graphql_type=PersonChangeResult,
    )
    async def erase_person(
        self, info: Info, idempotency_key: str, ref: str, reason: str
    ) -> PersonChange:
        """Erase a person."""
        info.context.require(Scope.OPS)
        context = info.context.command_context(reason=reason)

        def do(tx: Transaction, _: str) -> str:
            people.erase(tx, context, ref, reason)
            return ref

        done = await once(info.context, context, idempotency_key, "erase_person", [ref, reason], do)
        return PersonChange(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            person=await _shown(info, ref),
        )
