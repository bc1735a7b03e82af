"""People: how to reach customers, kept sealed and apart from the ledger; and their erasure."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.recalls import people
from hub.storage.sql import Row
from hub_api.common.context import Info


@strawberry.type(description="How a person can be reached.")
class PersonContact:
    name: str
    email: str | None
    phone: str | None
    language: str


@strawberry.type(description="A customer, known to orders and events by a pseudonym only.")
class Person:
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


@strawberry.type(description="Contact that was stored or erased.")
class PersonChange:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    person: Person


async def shown(info: Info, ref: str) -> Person:
    """Return a person by their reference; raise UnknownReference if there is none."""
    return Person.of(await info.context.read(lambda tx: people.by_ref(tx, ref)))
