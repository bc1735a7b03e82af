"""A service that carries messages to people over REST."""

from connectors.notice_rest.connector import NoticeRest

__all__ = ["NoticeRest"]
