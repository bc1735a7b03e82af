"""Moves the twin of an EPCIS repository for the conformance rows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.epcis.simulator import EpcisTwin
from connectors.testing.simulator_driver import Driver, Official


class EpcisDriver(Driver):
    """One repository."""

    key = "epcis"
    # What is captured is held against GS1's JSON Schema in tests/connectors/test_epcis.py: it is
    # made of choices that the check of OpenAPI does not follow.
    official: ClassVar[Sequence[Official]] = (Official("epcis/openapi.json", within="/events"),)
    twin: EpcisTwin

    def build(self) -> EpcisTwin:
        return EpcisTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.token = "another-token"

    def events(self) -> Sequence[str]:
        """Work off what is under way, and return the ids of the events that it has."""
        self.twin.work_off()
        return [str(each["eventID"]) for each in self.twin.events]
