"""Driver of the EPCIS repository simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.epcis.simulator import EpcisSimulator
from connectors.testing.simulator_driver import OfficialContract, SimulatorDriver


class EpcisDriver(SimulatorDriver):
    """One repository."""

    key = "epcis"
    official: ClassVar[Sequence[OfficialContract]] = (
        # What the fields of an event are depends on its type, which its JSON Schema follows.
        OfficialContract(
            "epcis/openapi.json",
            looser=frozenset({"epcisBody.queryResults.resultsBody.eventList"}),
            document="epcis/EPCIS-JSON-Schema.json",
        ),
    )
    simulator: EpcisSimulator

    def build(self) -> EpcisSimulator:
        return EpcisSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.token = "another-token"

    def refuse_events_of(self, serial: str) -> bool:
        self.simulator.refused_serials.add(serial)
        return True

    def events(self) -> Sequence[str]:
        """Work off what is under way, and return the ids of the events that it has."""
        self.simulator.work_off()
        return [str(each["eventID"]) for each in self.simulator.events]
