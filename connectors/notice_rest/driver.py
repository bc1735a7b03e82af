"""Driver of the a message service simulator for the conformance cases."""

from collections.abc import Mapping
from typing import Any

from connectors.notice_rest.simulator import NoticeSimulator
from connectors.testing.simulator_driver import SimulatorDriver


class NoticeDriver(SimulatorDriver):
    """One service that carries messages."""

    key = "notice_rest"
    simulator: NoticeSimulator

    def build(self) -> NoticeSimulator:
        return NoticeSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.token = "another-token"

    def messages(self) -> int:
        return len(self.simulator.messages)

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit(ref, "message.delivered")
