"""A mutation is declared once: its key is required, and its digest covers every argument."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
)

from api_client import Hub, play
from commanding import CORE, KEY, LEAVES, base, document, mutations
from hub.access.keys import Caller, Scope
from hub.errors import Forbidden
from hub_api.common import commands
from hub_api.common.commands import COMMANDS, Command
from hub_api.schema import schema
from world import NOON, World

MAKE_KEY = """mutation($key: String!, $name: String!) {
  made: createApiKey(idempotencyKey: $key, name: $name, scopes: [POS]) { __typename
    ... on NewApiKey { keyId secret replayed } ... on Problem { code } } }"""
CREATE = """mutation($secret: String) {
  done: createWebhook(idempotencyKey: "k", secret: $secret, webhook: { url: "https://a.example/x" })
  { __typename ... on WebhookChange { replayed endpoint { id } } ... on Problem { code } } }"""
ROTATE = """mutation($id: ID!, $secret: String) {
  done: rotateWebhookSecret(idempotencyKey: "r", id: $id, secret: $secret)
  { __typename ... on WebhookChange { replayed } ... on Problem { code message } } }"""
SECRETS = ["whsec_" + letter * 43 + "=" for letter in ("A", "B")]


class Vault:
    def derive(self, purpose: str) -> str:
        return purpose


class Stub:
    """All that the decorator asks of a request."""

    vault = Vault()
    caller = Caller("k", "key", frozenset())
    clock = staticmethod(lambda: NOON)

    def require(self, *scopes: Scope) -> None:
        assert scopes


def others(type_: Any, depth: int = 0) -> Iterator[Any]:
    """Return values that differ from `base` in one place each."""
    if isinstance(type_, GraphQLNonNull):
        yield from others(type_.of_type, depth)
        return
    if isinstance(type_, GraphQLList):
        yield []
        yield from ([each] for each in others(type_.of_type, depth))
    elif isinstance(type_, GraphQLEnumType):
        yield from list(type_.values)[1:]
    elif isinstance(type_, GraphQLInputObjectType):
        given = base(type_, depth)
        for name in given:
            yield from (
                {**given, name: each} for each in others(type_.fields[name].type, depth + 1)
            )
    else:
        yield LEAVES[type_.name][1]


def test_every_mutation_is_declared_and_requires_an_idempotency_key() -> None:
    assert CORE.mutation_type is not None
    fields = CORE.mutation_type.fields
    assert len(COMMANDS) == len(fields)
    assert {str(each.args[KEY].type) for each in fields.values()} == {"String!"}


@pytest.mark.parametrize("mutation", mutations())
def test_any_other_argument_is_another_input(
    mutation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests: list[str] = []
    digest = Command.digest

    def taken(self: Command, context: Any, arguments: dict[str, Any]) -> str:
        digests.append(digest(self, context, arguments))
        raise Forbidden("enough")

    monkeypatch.setattr(commands.Command, "digest", taken)
    assert CORE.mutation_type is not None
    args = CORE.mutation_type.fields[mutation].args
    given = {name: base(each.type) for name, each in args.items()}
    asked = document(mutation, tuple(args))

    def digest_of(variables: dict[str, Any]) -> str:
        async def run() -> None:
            await schema.execute(asked, variable_values=variables, context_value=Stub())

        count = len(digests)
        asyncio.run(run())
        assert len(digests) == count + 1, variables
        return digests[-1]

    first = digest_of(given)
    assert digest_of({**given, KEY: "another"}) == first
    for name in args.keys() - {KEY}:
        for other in others(args[name].type):
            assert digest_of({**given, name: other}) != first, (name, other)


def test_a_key_with_another_secret_is_refused(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        made = (await admin.ask(CREATE, secret=SECRETS[0]))["done"]
        assert made["replayed"] is False
        assert (await admin.ask(CREATE, secret=SECRETS[0]))["done"]["replayed"] is True
        again = (await admin.ask(CREATE, secret=SECRETS[1]))["done"]
        assert again["code"] == "IDEMPOTENCY_KEY_REUSED"
        endpoint = made["endpoint"]["id"]
        turned = (await admin.ask(ROTATE, id=endpoint, secret=SECRETS[0]))["done"]
        assert turned["replayed"] is False
        again = (await admin.ask(ROTATE, id=endpoint, secret=SECRETS[1]))["done"]
        assert again["code"] == "IDEMPOTENCY_KEY_REUSED"

    play(world, story)


def test_an_api_key_is_made_once_for_its_idempotency_key(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        made = (await admin.ask(MAKE_KEY, key="k", name="till"))["made"]
        again = (await admin.ask(MAKE_KEY, key="k", name="till"))["made"]
        assert made["secret"]
        assert (again["keyId"], again["secret"], again["replayed"]) == (made["keyId"], None, True)
        other = (await admin.ask(MAKE_KEY, key="k", name="another till"))["made"]
        assert other["__typename"] == "IdempotencyKeyReused"

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM api_key WHERE name LIKE '%till%'") == 1
