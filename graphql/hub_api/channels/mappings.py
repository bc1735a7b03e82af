"""What the words of a channel mean here, and ours there: data that people change."""

import strawberry

from hub import orders
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.sync import mappings as channel_mappings
from hub.sync.mappings import Mapping, MappingKind
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.problems import answer

LINES_MAX = 5_000  # of open orders, to which new kinds of lines apply at once


@strawberry.type(description="A word and what is made of it, and how often it was used lately.")
class MappedWord:
    source: str = strawberry.field(description="The channel's word; of a carrier: ours.")
    target: str = strawberry.field(
        description="Our value that it maps to; of a carrier: the value of the channel."
    )
    mapped: bool = strawberry.field(description="Whether people said so; else the connector did.")
    times: int = strawberry.field(description="Of the latest orders, returns or shipments.")


@strawberry.input(description="A word and what is to be made of it.")
class MappingInput:
    source: str = strawberry.field(
        description="The channel's word, whatever its case; of a carrier: ours; of an order line: "
        "its SKU, or its title where it has none."
    )
    target: str = strawberry.field(
        description="For an order: draft, pending, open, fulfilled, cancelled. For a return: "
        "requested, open, closed, cancelled. For an order line: goods, gift_card, service, "
        "digital, tip, fee, custom. For a carrier: what the channel calls it."
    )


@strawberry.type(description="The mappings of one kind of a channel, and the words that it uses.")
class Mappings:
    channel: str
    kind: MappingKind
    words: list[MappedWord]


@strawberry.type
class MappingQuery:
    """Reading mappings."""

    @strawberry.field(
        description="Mappings of the values of a channel: those in recent use, the most frequent "
        "first, then those that are mapped and unused."
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
        description="Set the mappings of the values of a channel; they replace all former ones "
        "and apply from now on. The next reconciliation corrects orders that were "
        "read before.",
        result=answer("PutMappingsResult", Mappings),
    )
    async def put_mappings(
        self, call: Call, channel: str, kind: MappingKind, mappings: list[MappingInput]
    ) -> Mappings:
        """Name the mappings of one kind of a channel."""
        named = [Mapping(each.source, each.target) for each in mappings]

        def do(work: Work) -> None:
            channel_mappings.put(work.tx, channel, kind, named)
            if kind is MappingKind.LINE_KIND:
                changed = channels.get(work.tx, channel)
                orders.apply_line_kinds(work.tx, work.context, changed, limit=LINES_MAX)

        await call.once(call.context.command_context(), do)
        return await call.context.read(lambda tx: _shown(tx, channel, kind))


def _shown(tx: Transaction, channel: str, kind: MappingKind) -> Mappings:
    found = channel_mappings.words(tx, channel, kind)
    words = [
        MappedWord(source=each.source, target=each.target, mapped=each.mapped, times=each.times)
        for each in found
    ]
    return Mappings(channel=channel, kind=kind, words=words)
