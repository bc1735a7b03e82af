"""Move the twins of five manufacturers for the conformance rows."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from connectors.testing.manufacturers import Cover, MakerTwin
from connectors.testing.simulator_driver import Driver


class MakerDriver(Driver):
    """What the five share. The rows name serials as short as makers' own rules do not allow."""

    twin: MakerTwin
    build_twin: ClassVar[type[Any]]

    def build(self) -> MakerTwin:
        made: MakerTwin = self.build_twin(clock=self.clock)
        return made

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.twin.settings(url) if self.twin.token_path else None

    def expire_tokens(self) -> None:
        self.twin.expire_tokens()

    def tokens_given(self) -> int:
        return len(self.twin.tokens)

    def revoke(self) -> None:
        self.twin.secret = "another-secret"
        self.expire_tokens()

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        self.twin.add_unit(serial, product, [Cover("Next business day", starts_on, ends_on)])
