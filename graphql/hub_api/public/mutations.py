"""Mutations for publishable keys and trusted documents."""

import strawberry

from hub.access import keys, trusted_documents
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub_api.administration.mutations import creator_of
from hub_api.administration.types import NewApiKey
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.public import documents as trusted
from hub_api.public.types import (
    DocumentRemoved,
    DocumentsPushed,
    PushedDocument,
    TrustedDocumentInput,
)


@strawberry.type
class PublicMutation:
    """Deciding what web pages may ask."""

    @command(
        Scope.ADMIN,
        description="Create a key that may stand in web pages: it reserves and checks out carts, "
        "asks trusted documents over public fields only, and is taken from pages of its origins. "
        "It is shown once, as other keys are.",
        result=answer("CreatePublishableKeyResult", NewApiKey),
    )
    async def create_publishable_key(self, call: Call, name: str, origins: list[str]) -> NewApiKey:
        """Make a publishable key."""
        context, made = call.context.command_context(), list[str]()

        def do(work: Work) -> str:
            key_id, key = keys.create_publishable(
                work.tx, name, origins, context.now, creator_of(call)
            )
            made.append(key)
            return key_id

        done = await call.once(context, do)
        key = None if done.replayed else made[-1]
        return NewApiKey(key_id=strawberry.ID(done.value), secret=key, replayed=done.replayed)

    @command(
        Scope.ADMIN,
        description="Trust documents: publishable keys ask them by their hash from now on. All of "
        "them are valid and over public fields, or none is trusted.",
        result=answer("PushDocumentsResult", DocumentsPushed),
    )
    async def push_documents(
        self, call: Call, documents: list[TrustedDocumentInput]
    ) -> DocumentsPushed:
        """Push documents."""
        texts = {each.name: each.text for each in documents}
        if len(texts) != len(documents):
            raise InvalidInput("each document has a name of its own", field="documents")
        if len(texts) > trusted_documents.PUSHED_MAX:
            most = trusted_documents.PUSHED_MAX
            raise InvalidInput(f"push 1 to {most} documents", field="documents")
        trusted.check(call.info.schema, texts.items())
        context = call.context.command_context()

        def do(work: Work) -> list[str]:
            return trusted_documents.push(work.tx, texts, context.actor, context.now)

        done = await call.once(context, do)
        return DocumentsPushed(
            documents=[
                PushedDocument(name=name, sha256=sha256)
                for name, sha256 in zip(texts, done.value, strict=True)
            ]
        )

    @command(
        Scope.ADMIN,
        description="Trust a document no longer; each process refuses it 15 s later at the most.",
        result=answer("RemoveDocumentResult", DocumentRemoved),
    )
    async def remove_document(self, call: Call, sha256: str) -> DocumentRemoved:
        """Remove a document."""
        await call.once(
            call.context.command_context(),
            lambda work: trusted_documents.remove(work.tx, sha256),
        )
        return DocumentRemoved(sha256=sha256)
