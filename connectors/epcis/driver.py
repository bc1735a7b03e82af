"""Driver of the an EPCIS repository simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.epcis.simulator import EpcisSimulator
from connectors.testing.simulator_driver import OfficialContract, SimulatorDriver


class EpcisDriver(SimulatorDriver):
    """One repository."""

    key = "epcis"
    # What is captured is validated against GS1's JSON Schema in
    # tests/connectors/test_epcis.py: it is
    # made of choices that the check of OpenAPI does not follow.
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract("epcis/openapi.json", within="/events"),
    )
    simulator: EpcisSimulator

    def build(self) -> EpcisSimulator:
        return EpcisSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.token = "another-token"

    def events(self) -> Sequence[str]:
        """Work off what is under way, and return the ids of the events that it has."""
        self.simulator.work_off()
        return [str(each["eventID"]) for each in self.simulator.events]
