"""Conformance kit: what every connector promises, and the cases that prove it.

Under pytest inherit `ConnectorSuite`; on the command line ``serial-hub connectors score`` runs the
same cases without pytest. See docs/connectors/writing.md.
"""

from typing import TYPE_CHECKING, Any

from connectors.testing.case import Case, ConformanceFailure, NotApplicable
from connectors.testing.served import ServedSimulator

if TYPE_CHECKING:
    from connectors.testing.suite import ConnectorSuite

__all__ = ["Case", "ConformanceFailure", "ConnectorSuite", "NotApplicable", "ServedSimulator"]


def __getattr__(name: str) -> Any:
    """Load the suite when it is asked for: only it needs pytest."""
    if name == "ConnectorSuite":
        from connectors.testing.suite import ConnectorSuite

        return ConnectorSuite
    raise AttributeError(name)
