"""Driver of the simulator of a message service for the conformance cases."""

from connectors.notice_rest.simulator import NoticeSimulator
from connectors.testing.record_twin import TwinDriver


class NoticeDriver(TwinDriver):
    """One service that carries messages."""

    key = "notice_rest"
    twin = NoticeSimulator
    simulator: NoticeSimulator

    def messages(self) -> int:
        return len(self.simulator.messages)

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit(ref, "message.delivered")
