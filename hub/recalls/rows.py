"""Shapes of the rows that notices read."""

from typing import TypedDict

from hub.storage.rows import NoticeRow


class NotifiedRecall(TypedDict):
    """The columns of a recall that its notices need."""

    id: str
    ref: str
    channel_id: str | None


class CustomerRef(TypedDict):
    """A customer by pseudonym."""

    customer_ref: str


class NoticeDraft(TypedDict):
    """The content of a message."""

    recall_id: str
    customer_ref: str
    ref: str
    title: str
    instructions: str
    contact: str
    changed_at: int


class CarriedDraft(TypedDict):
    """The content of a message that the channel carries that sold."""

    recall_id: str
    customer_ref: str
    ref: str
    title: str
    instructions: str
    erased_at: int | None


class NamedUnit(TypedDict):
    """A unit with the name of its product."""

    serial: str
    name: str


class NoticeStatus(TypedDict):
    """The state of a notice."""

    id: str
    channel_id: str | None
    state: str


class PersonRef(TypedDict):
    """A person by pseudonym."""

    ref: str


class NoticeOfRecall(NoticeRow):
    """A notice with the reference of its recall."""

    ref: str
    erased_at: int | None
