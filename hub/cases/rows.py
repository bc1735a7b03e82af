"""Shapes of the rows of cases that several modules read."""

from hub.storage.rows import CaseRow


class CaseOfChannel(CaseRow):
    """A case with the code of its channel."""

    channel_code: str | None
