"""Registry of connectors: found by their entry points, ours and those of other packages."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoints, entry_points
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from connectors.contract import Connector
from connectors.remote import RemoteApi
from connectors.toolkit.rate_limits import RateLimitStore
from connectors.toolkit.tokens import TokenStore

GROUP = "serial_hub.connectors"


class SettingsInvalid(ValueError):
    """The settings of an account do not fit its connector. Next: a person corrects them.

    `fields` maps the dotted name of each wrong field to what is wrong with it. Values are never
    repeated: one of them may be a secret.
    """

    def __init__(self, connector: str, fields: Mapping[str, str]) -> None:
        message = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        super().__init__(f"settings of {connector}: {message}")
        self.connector = connector
        self.fields = dict(fields)


class ConnectorUnknown(LookupError):
    """No installed package brings a connector of this name. Next: install it, or correct it."""


def installed() -> dict[str, type[Connector[Any]]]:
    """Return connector classes by key; two packages claiming one key is an error, not a race."""
    points = entry_points(group=GROUP)
    return {key: _load(key, points) for key in sorted(points.names)}


def connector_class(key: str) -> type[Connector[Any]]:
    """Return one installed connector class; the others stay unloaded."""
    return _load(key, entry_points(group=GROUP))


def keys() -> list[str]:
    """Return the keys of every installed connector, without loading any."""
    return sorted(entry_points(group=GROUP).names)


def connect(
    key: str,
    settings: Mapping[str, Any],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    rate_limits: RateLimitStore | None = None,
    tokens: TokenStore | None = None,
) -> Connector[Any]:
    """Build the connector of one account. No call is made; close it with ``api.aclose()``.

    Raises SettingsInvalid, also for a secret that is empty: anybody could sign with it.
    """
    connector = _load(key, entry_points(group=GROUP))
    try:
        valid = connector.settings_model.model_validate(dict(settings))
    except ValidationError as error:
        raise SettingsInvalid(key, _problems(error)) from None
    secrets = _secrets_of(valid)
    if empty := {name: "may not be empty" for name, secret in secrets.items() if not secret}:
        raise SettingsInvalid(key, empty)
    remote = connector.remote(valid)
    remote = replace(remote, secrets=(*remote.secrets, *secrets.values()))
    api = RemoteApi(remote, transport=transport, rate_limits=rate_limits, tokens=tokens)
    return connector(valid, api)


def _load(key: str, points: EntryPoints) -> type[Connector[Any]]:
    """Load one connector; the others stay unloaded, so that a broken one harms only itself."""
    found = {point.value: point for point in points.select(name=key)}
    if not found:
        raise ConnectorUnknown(f"no connector {key!r} is installed")
    if len(found) > 1:
        raise ValueError(f"several installed packages claim the connector {key!r}")
    connector: type[Connector[Any]] = next(iter(found.values())).load()
    if connector.key != key:
        raise ValueError(f"entry point {key!r} loads connector {connector.key!r}")
    return connector


def _secrets_of(settings: BaseModel) -> dict[str, str]:
    """Return the secrets of an account by the names of their fields, without blanks around."""
    return {
        name: value.get_secret_value().strip()
        for name, value in settings
        if isinstance(value, SecretStr)
    }


def _problems(error: ValidationError) -> dict[str, str]:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return {
        ".".join(str(part) for part in detail["loc"]) or "settings": detail["msg"]
        for detail in details
    }
