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
    created_at: datetime
    revoked_at: datetime | None


@strawberry.type(description="A new key with its secret: keep it, it is not shown again.")
class NewApiKey:
    id: strawberry.ID
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
