"""Declare a mutation once: who may send it, its idempotency key, the digest of its arguments.

`@command(Scope.OPS, description=…, result=…)` stands above a resolver whose first parameter is a
`Call`. The argument `idempotencyKey: String!` is added by the decorator, and the digest of a call
covers every argument and every field of every input, so that no mutation can leave one out.
"""

import functools
import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import orjson
import strawberry
from strawberry.utils.str_converters import to_camel_case

from hub import clock
from hub.access import approvals, trail
from hub.access.approvals import Wanted
from hub.access.keys import Caller, Scope
from hub.access.trail import Doing
from hub.commands import idempotency
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import ApprovalNeeded, Forbidden, InvalidInput
from hub.storage.sql import Transaction
from hub.storefront import shoppers
from hub_api.common.context import Context, Info
from hub_api.common.long_work import in_thread_if, is_long

KEY = "idempotency_key"
ADMINISTRATIVE = frozenset({Scope.OPS, Scope.ADMIN, Scope.OVERRIDE, Scope.REFUNDS})
COMMANDS: dict[str, "Command"] = {}
"""Every mutation of the API, by the name of its function."""


@dataclass(frozen=True, slots=True)
class Command:
    """One declared mutation."""

    name: str
    scopes: tuple[Scope, ...]
    defaults: dict[str, Any]
    """Value of each argument that may be left out."""
    secret: bool
    """Whether an argument is confidential: then the digest is keyed by the hub's secret key."""
    confined: bool
    """Whether the ledger checks it unit by unit, so that keys of one site or client may send it."""
    group: str
    """The package that declares it: keys may be narrowed to it."""

    @property
    def field(self) -> str:
        """Return its name in the schema."""
        return to_camel_case(self.name)

    @property
    def is_administrative(self) -> bool:
        """Return whether it leaves an entry in the trail: only staff with wide rights send it."""
        return ADMINISTRATIVE.issuperset(self.scopes)

    def check(self, caller: Caller) -> None:
        """Raise Forbidden where what narrows the caller's key excludes this command."""
        allowed = caller.commands
        if allowed is not None and not allowed.intersection((self.field, self.group)):
            raise Forbidden(f"this key may not send {self.field}")
        if caller.is_confined and not self.confined:
            raise Forbidden("a key of one site or client sends commands about units only")

    def shown(self, arguments: dict[str, Any]) -> str:
        """Return the arguments for people, as JSON without secrets."""
        plain = orjson.dumps(
            self.defaults | arguments, option=orjson.OPT_PASSTHROUGH_DATETIME, default=_canonical
        )
        return trail.shown(orjson.loads(plain), names_only=self.secret)

    def digest(self, context: Context, arguments: dict[str, Any]) -> str:
        """Return the digest of all arguments, the same for a default given and left out.

        Every time and day among them is checked here, where each is seen once anyway: raises
        InvalidInput for one that a caller cannot mean, or that lies ahead and may not.
        """
        dated: list[object] = []

        def canonical(value: object) -> str:
            if isinstance(value, date):
                dated.append(value)
            return _canonical(value)

        try:
            plain = orjson.dumps(
                self.defaults | arguments,
                option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME,
                default=canonical,
            )
        except TypeError as error:
            if isinstance(error.__cause__, InvalidInput):
                # This names the field, which the digest does not know.
                _check_times("", arguments, context.clock())
                raise error.__cause__ from None
            raise
        if dated:
            _check_times("", arguments, context.clock())
        if self.secret:
            key = context.vault.derive("idempotency").encode()
            return hmac.new(key, plain, hashlib.sha256).hexdigest()
        return hashlib.sha256(plain).hexdigest()


def _canonical(value: object) -> str:
    """Write what JSON has no form for; the same instant is the same text in every zone."""
    if isinstance(value, datetime):
        return clock.stated(value, "time").astimezone(UTC).isoformat()
    if isinstance(value, date):
        return clock.stated_day(value, "day").isoformat()
    return str(value)


MAY_LIE_AHEAD = frozenset({
    "expires_on", "expires_at",  # of goods and of promises
    "deliver_by", "ship_by", "promised_on", "expected_on",  # of orders and of deliveries
    "starts_on", "ends_on",  # of covers and licenses
    "produced_from", "produced_to", "received_from", "received_to",  # what a recall catches
    "until",  # the end of a period that is asked for
})  # fmt: skip
"""The stated times and days, by field, of what may be still to come; all others have happened."""


def _check_times(name: str, value: object, now: datetime) -> None:
    """Raise InvalidInput with the name of the first field that holds an impossible time."""
    shown = to_camel_case(name)
    if isinstance(value, date):
        if isinstance(value, datetime):
            clock.stated(value, shown)
        else:
            clock.stated_day(value, shown)
        if name not in MAY_LIE_AHEAD:
            clock.happened(value, now, shown)
    elif isinstance(value, list):
        for each in value:
            _check_times(name, each, now)
    elif (fields := getattr(value, "__dict__", value)) and isinstance(fields, dict):
        for field_name, each in fields.items():
            _check_times(field_name, each, now)


@dataclass(slots=True)
class Call:
    """One call of a mutation: its request, its idempotency key, and what was given."""

    info: Info
    command: Command
    key: str
    digest: str
    arguments: str = "{}"
    """JSON for people, without secrets."""
    approved: Wanted | None = field(default=None, init=False)
    """What a second person has approved of, used up when the command is done."""
    is_recorded: bool = field(default=False, init=False)
    """Whether the call was run under its key."""

    @property
    def context(self) -> Context:
        """The request."""
        return self.info.context

    async def once(
        self, command_context: CommandContext, do: Callable[[Work], Any]
    ) -> idempotency.Answer:
        """Run `do` in a transaction unless the key was used before; it returns plain JSON values.

        Raises KeyReused when the key was used with other arguments.
        """
        self.is_recorded = True
        return await self.context.write(
            lambda tx: idempotency.once(
                tx,
                command_context,
                key=self.key,
                name=self.command.name,
                given=self.digest,
                work=lambda command_id: self._done(do, Work(tx, command_context, command_id)),
            )
        )

    def _done(self, do: Callable[[Work], Any], work: Work) -> Any:
        """Do the command; an administrative one leaves its entry in the trail."""
        if self.approved is not None and not approvals.use(
            work.tx, self.approved, work.context.now
        ):
            raise Forbidden("the approval was used, or has ended, meanwhile: ask again")
        if not self.command.is_administrative:
            return do(work)
        trail.begin(work.tx, work.context.now)
        value = do(work)
        trail.record(work.tx, self._doing(self.command.field, work.command_id), work.context.now)
        return value

    def _doing(self, name: str, command_id: str | None = None) -> Doing:
        context = self.context
        return Doing(
            actor=context.caller.name,
            command=name,
            key_id=context.caller.key_id,
            session_id=context.session_id,
            address=context.address,
            command_id=command_id,
            arguments=self.arguments,
        )

    async def await_approval(self) -> None:
        """Raise ApprovalNeeded unless a second person approved of this very call, or it was done.

        The approval is used up in the transaction of the command itself.
        """
        context, now = self.context, self.context.clock()
        wanted = Wanted(
            command=self.command.field,
            digest=self.digest,
            actor=context.caller.name,
            key_id=context.caller.key_id,
            arguments=self.arguments,
        )

        def look(tx: Transaction) -> ApprovalNeeded | None:
            scoped = context.command_context()
            name, given = self.command.name, self.digest
            if idempotency.seen(tx, scoped, key=self.key, name=name, given=given) is not None:
                return None
            if approvals.is_approved(tx, wanted, now):
                self.approved = wanted
                return None
            trail.begin(tx, now)
            needed = approvals.request(tx, wanted, now)
            trail.record(tx, self._doing(f"request {self.command.field}"), now)
            return needed

        needed = await context.write(look)
        if needed is not None:
            raise needed

    async def once_outside(
        self, command_context: CommandContext, do: Callable[[], Awaitable[Any]]
    ) -> idempotency.Answer:
        """Run `do`, which calls a remote system outside any transaction, and store its answer.

        Where the process ends between the two, the same key runs `do` again: it must bear that.
        """
        self.is_recorded = True
        seen = await self.context.read(
            lambda tx: idempotency.seen(
                tx, command_context, key=self.key, name=self.command.name, given=self.digest
            )
        )
        if seen is not None:
            return seen
        value = await do()
        return await self.once(command_context, lambda _: value)


Resolver = Callable[..., Awaitable[Any]]


def command(
    *scopes: Scope, description: str, result: Any, secret: bool = False, confined: bool = False
) -> Callable[[Resolver], Any]:
    """Declare a mutation that callers with one of `scopes` may send.

    `result` is the union of its result and the problems. `secret` keys the digest of the arguments
    by the hub's secret key, for arguments that a plain digest would let somebody guess. `confined`
    commands are checked unit by unit: keys that are kept to a site or client may send them.
    """

    def declare(resolver: Resolver) -> Any:
        declared = _command_of(resolver, scopes, secret=secret, confined=confined)
        COMMANDS[declared.name] = declared

        @functools.wraps(resolver)
        async def run(self: Any, info: Info, **arguments: Any) -> Any:
            info.context.require(*scopes)
            declared.check(info.context.caller)
            key = shoppers.checked_name(info.context.caller, arguments.pop(KEY), "idempotencyKey")
            long = is_long(arguments)
            digest = await in_thread_if(long, lambda: declared.digest(info.context, arguments))
            call = Call(info, declared, key, digest)
            if declared.is_administrative or declared.field in info.context.two_person:
                call.arguments = await in_thread_if(long, lambda: declared.shown(arguments))
            if declared.field in info.context.two_person:
                await call.await_approval()
            answer = await resolver(self, call, **arguments)
            assert call.is_recorded, declared.name  # a mutation without its key is our mistake
            return answer

        run.__signature__ = _signature(resolver)  # type: ignore[attr-defined]
        run.__annotations__ = {
            name: each.annotation for name, each in _signature(resolver).parameters.items()
        }
        return strawberry.mutation(run, description=description, graphql_type=result)

    return declare


def _command_of(
    resolver: Resolver, scopes: tuple[Scope, ...], *, secret: bool, confined: bool
) -> Command:
    _, _, *arguments = inspect.signature(resolver).parameters.values()
    defaults = {
        each.name: each.default for each in arguments if each.default is not inspect.Parameter.empty
    }
    group = resolver.__module__.split(".")[1]
    return Command(resolver.__name__, scopes, defaults, secret, confined, group)


def _signature(resolver: Resolver) -> inspect.Signature:
    """Return the resolver's own arguments behind the request and the idempotency key."""
    signature = inspect.signature(resolver)
    self, _, *arguments = signature.parameters.values()
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    added = [
        inspect.Parameter("info", kind, annotation=Info),
        inspect.Parameter(KEY, kind, annotation=str),
    ]
    return signature.replace(parameters=[self, *added, *arguments])
