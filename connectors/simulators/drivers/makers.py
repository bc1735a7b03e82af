"""Move the twins of five manufacturers for the conformance rows."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from connectors.simulators.apple import AppleTwin
from connectors.simulators.driver import Driver
from connectors.simulators.makers import (
    CiscoTwin,
    Cover,
    DellTwin,
    HpTwin,
    LenovoTwin,
    MakerTwin,
)


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


class DellDriver(MakerDriver):
    """TechDirect."""

    key = "dell"
    build_twin = DellTwin


class LenovoDriver(MakerDriver):
    """eSupport."""

    key = "lenovo"
    build_twin = LenovoTwin


class HpDriver(MakerDriver):
    """HP's warranty service."""

    key = "hp"
    build_twin = HpTwin


class CiscoDriver(MakerDriver):
    """Cisco's Support APIs."""

    key = "cisco"
    build_twin = CiscoTwin


class AppleDriver(MakerDriver):
    """Apple Business."""

    key = "apple"
    build_twin = AppleTwin
    twin: AppleTwin

    def revoke(self) -> None:
        self.twin.revoke()
