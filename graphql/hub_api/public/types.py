"""Trusted documents and publishable keys, as administrators see them."""

from datetime import datetime

import strawberry

from hub.clock import moment
from hub.storage.rows import TrustedDocumentRow


@strawberry.type(description="A GraphQL document that publishable keys may ask.")
class TrustedDocument:
    sha256: str = strawberry.field(description="SHA-256 of its text, by which it is asked.")
    name: str = strawberry.field(description="Name for people, such as that of its file.")
    text: str = strawberry.field(description="The document.")
    pushed_by: str = strawberry.field(description="Name of the API key that pushed it last.")
    pushed_at: datetime = strawberry.field(description="When it was pushed last.")

    @classmethod
    def of(cls, row: TrustedDocumentRow) -> "TrustedDocument":
        """Show a row."""
        return cls(
            sha256=row["sha256"],
            name=row["name"],
            text=row["text"],
            pushed_by=row["pushed_by"],
            pushed_at=moment(row["pushed_at"]),
        )


@strawberry.input(description="A document to trust.")
class TrustedDocumentInput:
    name: str = strawberry.field(description="Name for people, 1 to 200 characters.")
    text: str = strawberry.field(description="The document, over public fields only.")


@strawberry.type(description="Documents that are trusted from now on.")
class DocumentsPushed:
    documents: list["PushedDocument"] = strawberry.field(
        description="The manifest: the hash of each name, as given."
    )


@strawberry.type(description="A line of a manifest.")
class PushedDocument:
    name: str = strawberry.field(description="Name of the document.")
    sha256: str = strawberry.field(description="Hash by which it is asked.")


@strawberry.type(description="A document that is trusted no longer.")
class DocumentRemoved:
    sha256: str = strawberry.field(description="Hash of the document.")
