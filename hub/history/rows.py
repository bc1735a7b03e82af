"""Shapes of the rows that corrections read."""

from typing import TypedDict


class FactPayload(TypedDict):
    """The payload of a queued fact."""

    payload: str


class FactState(TypedDict):
    """The state of a queued fact."""

    id: str
    state: str
