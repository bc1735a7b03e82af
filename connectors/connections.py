"""Open connectors: one client for each channel, kept as long as its settings stay the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.contract import Connector
from connectors.registry import connect
from connectors.toolkit.rate_limits import RateLimitStore
from connectors.toolkit.tokens import TokenStore


@dataclass(slots=True)
class _OpenConnector:
    sealed: str
    connector: Connector[Any]


Stores = Callable[[str], tuple[RateLimitStore, TokenStore]]


class Connections:
    """Connectors by channel id.

    `unseal` decrypts the settings of a channel. `stores` returns, for a channel id, where its rate
    limits and its token are kept; without it each process keeps its own. `transport` makes the way
    out of each of them; without it there is no rule where they may connect.
    """

    def __init__(
        self,
        unseal: Callable[[str], Mapping[str, Any]],
        stores: Stores | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._unseal = unseal
        self._transport = transport
        self._stores = stores
        self._open: dict[str, _OpenConnector] = {}
        self._retired: list[Connector[Any]] = []

    def of(self, channel: Mapping[str, Any]) -> Connector[Any]:
        """Return the connector of a channel row; opens a new one when its settings changed."""
        kept = self._open.get(channel["id"])
        if kept is not None and kept.sealed == channel["settings"]:
            return kept.connector
        if kept is not None:
            self._retired.append(kept.connector)  # a call may still be on its way
        rate_limits, tokens = self._stores(channel["id"]) if self._stores else (None, None)
        connector = connect(
            channel["connector"],
            self._unseal(channel["settings"]),
            transport=self._transport() if self._transport else None,
            rate_limits=rate_limits,
            tokens=tokens,
        )
        self._open[channel["id"]] = _OpenConnector(channel["settings"], connector)
        return connector

    def unseal(self, sealed: str) -> Mapping[str, Any]:
        """Decrypt a text that was sealed with the same keys, such as a contact address."""
        return self._unseal(sealed)

    async def aclose(self) -> None:
        """Close every client."""
        kept = [each.connector for each in self._open.values()] + self._retired
        self._open.clear()
        self._retired.clear()
        for connector in kept:
            await connector.api.aclose()
