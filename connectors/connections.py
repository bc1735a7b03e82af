"""Open connectors: one client for each channel, kept as long as its settings stay the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.contract import Connector
from connectors.registry import connect


@dataclass(slots=True)
class _Open:
    sealed: str
    connector: Connector[Any]


class Connections:
    """Connectors by channel. `unseal` turns the sealed settings of a channel into plain ones."""

    def __init__(self, unseal: Callable[[str], Mapping[str, Any]]) -> None:
        self._unseal = unseal
        self._open: dict[str, _Open] = {}
        self._retired: list[Connector[Any]] = []

    def of(self, channel: Mapping[str, Any]) -> Connector[Any]:
        """Return the connector of a channel's row; opened anew when its settings changed."""
        kept = self._open.get(channel["id"])
        if kept is not None and kept.sealed == channel["settings"]:
            return kept.connector
        if kept is not None:
            self._retired.append(kept.connector)  # a call may still be on its way
        connector = connect(channel["connector"], self._unseal(channel["settings"]))
        self._open[channel["id"]] = _Open(channel["settings"], connector)
        return connector

    def unseal(self, sealed: str) -> Mapping[str, Any]:
        """Open what the same keys have sealed, such as how to reach a person."""
        return self._unseal(sealed)

    async def aclose(self) -> None:
        """Close every client."""
        kept = [each.connector for each in self._open.values()] + self._retired
        self._open.clear()
        self._retired.clear()
        for connector in kept:
            await connector.api.aclose()
