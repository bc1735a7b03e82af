"""Administration: who is asking, API keys, and what ran when."""

from datetime import datetime

import strawberry

from hub.access.keys import Caller, Scope


@strawberry.type(description="Who is asking.")
class Viewer:
    name: str
    scopes: list[Scope]
    client: str | None = strawberry.field(
        description="The code of the client whose goods alone are seen."
    )

    @classmethod
    def of(cls, caller: Caller) -> "Viewer":
        """Show a caller."""
        return cls(name=caller.name, scopes=sorted(caller.scopes), client=caller.client)


@strawberry.type(description="An API key; its secret is shown once, when it is made.")
class ApiKey:
    id: strawberry.ID
    name: str
    scopes: list[Scope]
    client: str | None = strawberry.field(description="The client that it is bound to, by code.")
    origins: list[str] | None = strawberry.field(
        description="Origins of the pages that it may stand in; null: it is a secret key."
    )
    site: str | None = strawberry.field(description="Code of the site that it acts at alone.")
    commands: list[str] | None = strawberry.field(
        description="Mutations and groups of them that it may send; null: as its scopes allow."
    )
    addresses: list[str] | None = strawberry.field(
        description="Networks that it is taken from; null: from anywhere."
    )
    created_by: str = strawberry.field(description="Name of the key that made it.")
    created_at: datetime
    expires_at: datetime | None = strawberry.field(description="When it ends by itself.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was used last, to ten minutes."
    )
    last_used_from: str | None = strawberry.field(description="Address of that use.")
    revoked_at: datetime | None


@strawberry.input(description="Limits of a key, beyond its scopes.")
class KeyNarrowingInput:
    site: str | None = strawberry.field(
        description="Code of a site: units are acted on there alone (scopes SCANNER and POS).",
        default=None,
    )
    commands: list[str] | None = strawberry.field(
        description="Mutations, such as `sellUnits`, or groups, such as `units`; 1 to 100.",
        default=None,
    )
    addresses: list[str] | None = strawberry.field(
        description="Networks that it is taken from, such as `192.0.2.0/24`; 1 to 50.",
        default=None,
    )
    expires_at: datetime | None = strawberry.field(
        description="When it ends by itself.", default=None
    )


@strawberry.type(description="A new key with its secret: keep it, it is not shown again.")
class NewApiKey:
    key_id: strawberry.ID = strawberry.field(description="Id of the key.")
    secret: str | None = strawberry.field(
        description="The secret, shown once: null when the idempotency key was used before."
    )
    replayed: bool = strawberry.field(
        description="The idempotency key was used before: this is the key that was made then."
    )


@strawberry.type(description="One firing of a scheduled job.")
class JobRun:
    id: strawberry.ID
    job: str
    holder: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
