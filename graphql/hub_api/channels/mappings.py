"""What the words of a channel mean here, and ours there: data that people change."""

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.storage.sql import Transaction
from hub.sync import mappings as channel_mappings
from hub.sync.mappings import Mapping, MappingKind
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.problems import answer


@strawberry.type(description="A word and what is made of it, and how often it was used lately.")
class MappedWord:
    """A word and what is made of it."""

    source: str = strawberry.field(description="The channel's word; of a carrier: ours.")
    target: str = strawberry.field(description="What it is taken for, or told as.")
    mapped: bool = strawberry.field(description="Whether people said so; else the connector did.")
    times: int = strawberry.field(description="Of the latest orders, returns or shipments.")


@strawberry.input(description="A word and what is to be made of it.")
class MappingInput:
    """A word and what is to be made of it."""

    source: str = strawberry.field(
        description="The channel's word, whatever its case; of a carrier: ours."
    )
    target: str = strawberry.field(
        description="For an order: pending, open, fulfilled, cancelled. For a return: requested, "
        "open, closed, cancelled. For a carrier: what the channel calls it."
    )


@strawberry.type(description="The mappings of one kind of a channel, and the words that it uses.")
class Mappings:
    """The mappings of one kind of a channel."""

    channel: str
    kind: MappingKind
    words: list[MappedWord]


@strawberry.type
class MappingQuery:
    """Reading mappings."""

    @strawberry.field(
        description="What the words of a channel are taken for: those that it used lately, the "
        "most frequent first, and those that are mapped and were not used yet."
    )
    async def mappings(self, info: Info, channel: str, kind: MappingKind) -> Mappings:
        """Return the words of a channel."""
        info.context.require(Scope.OPS)
        return await info.context.read(lambda tx: _shown(tx, channel, kind))


@strawberry.type
class MappingMutation:
    """Changing mappings."""

    @command(
        Scope.ADMIN,
        description="Say what the words of a channel mean, for what is read or told from now on; "
        "these replace all that were mapped before. Orders that were read before are put right by "
        "the next reconciliation.",
        result=answer("PutMappingsResult", Mappings),
    )
    async def put_mappings(
        self, call: Call, channel: str, kind: MappingKind, mappings: list[MappingInput]
    ) -> Mappings:
        """Name the mappings of one kind of a channel."""
        named = [Mapping(each.source, each.target) for each in mappings]

        def do(work: Work) -> None:
            channel_mappings.put(work.tx, channel, kind, named)

        await call.once(call.context.command_context(), do)
        return await call.context.read(lambda tx: _shown(tx, channel, kind))


def _shown(tx: Transaction, channel: str, kind: MappingKind) -> Mappings:
    found = channel_mappings.words(tx, channel, kind)
    words = [
        MappedWord(source=each.source, target=each.target, mapped=each.mapped, times=each.times)
        for each in found
    ]
    return Mappings(channel=channel, kind=kind, words=words)
