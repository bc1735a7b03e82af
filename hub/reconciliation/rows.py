"""Shapes of the rows that reconciliation reads."""

from typing import TypedDict


class SentFact(TypedDict):
    """The columns of a fact that identify the differences that it heals."""

    channel_id: str
    subject: str


class Identified(TypedDict):
    """A row by its id."""

    id: str


class RunId(TypedDict):
    """A run by its id."""

    run_id: str
