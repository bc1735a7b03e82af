"""Mutations for contacts of customers."""

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.recalls import people
from hub.vocabulary import Contact
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.recalls.contact_types import PersonChange, shown

PersonChangeResult = answer("PersonChangeResult", PersonChange)


@strawberry.type
class PersonMutation:
    """Commands about people."""

    @command(
        Scope.OPS,
        description="Store the contact of a customer, encrypted; open recalls that could not "
        "reach them before send their notices.",
        result=PersonChangeResult,
        secret=True,
    )
    async def upsert_contact(
        self,
        call: Call,
        ref: str,
        name: str = "",
        email: str | None = None,
        phone: str | None = None,
        language: str = "en",
    ) -> PersonChange:
        """Keep how to reach a person."""
        contact = Contact(name=name, email=email, phone=phone, language=language)
        vault, context = call.context.vault, call.context.command_context()

        def do(work: Work) -> str:
            people.put(work.tx, context, vault, ref, contact)
            return ref

        # What is kept of the input can not be guessed without the hub's key.

        done = await call.once(context, do)
        return PersonChange(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            person=await shown(call.info, ref),
        )

    @command(
        Scope.OPS,
        description="Erase a person: their contact is deleted for good, here and in stored "
        "notices, also where a channel showed it. The ledger does not change and still proves "
        "what it proved.",
        result=PersonChangeResult,
    )
    async def erase_person(self, call: Call, ref: str, reason: str) -> PersonChange:
        context = call.context.command_context(reason=reason)
        vault = call.context.vault

        def do(work: Work) -> str:
            people.erase(work.tx, context, ref, reason, vault.open)
            return ref

        done = await call.once(context, do)
        return PersonChange(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            person=await shown(call.info, ref),
        )
