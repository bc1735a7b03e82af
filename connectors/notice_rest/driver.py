"""Moves the twin of a message service for the conformance rows."""

from collections.abc import Mapping
from typing import Any

from connectors.notice_rest.simulator import NoticeTwin
from connectors.testing.simulator_driver import Driver


class NoticeDriver(Driver):
    """One service that carries messages."""

    key = "notice_rest"
    twin: NoticeTwin

    def build(self) -> NoticeTwin:
        return NoticeTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.token = "another-token"

    def messages(self) -> int:
        return len(self.twin.messages)

    def announce(self, ref: str) -> None:
        self.twin.tell(ref, "message.delivered")
