"""Mutations for contacts of customers."""

import hashlib
import hmac

import orjson
import strawberry

from hub.access.keys import Scope
from hub.recalls import people
from hub.storage.sql import Transaction
from hub.vocabulary import Contact
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.recalls.contact_types import PersonChange, shown

PersonChangeResult = answer("PersonChangeResult", PersonChange)


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
            person=await shown(info, ref),
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
            person=await shown(info, ref),
        )
