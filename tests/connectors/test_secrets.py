"""Secrets of a channel: none is empty, and none that the channel repeats reaches the hub."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from connectors import AuthFailed, ConnectorError
from connectors.registry import SettingsInvalid, connect
from connectors.saleor.simulator import SaleorSimulator
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.square.simulator.server import SquareSimulator
from connectors.toolkit import signatures
from connectors.vendure.simulator.server import VendureSimulator
from connectors.woocommerce.simulator.server import WooCommerceSimulator

SECRET = "tok/EN-0123456789.secret"
SIMULATED: dict[str, Any] = {
    "saleor": SaleorSimulator,
    "shopify": ShopifySimulator,
    "square": SquareSimulator,
    "vendure": VendureSimulator,
    "woocommerce": WooCommerceSimulator,
}


def settings_of(key: str) -> dict[str, Any]:
    return dict(SIMULATED[key]().settings("https://channel.test"))


def secret_names(key: str) -> list[str]:
    connector = connect(key, settings_of(key))
    asyncio.run(connector.api.aclose())
    return [name for name, value in connector.settings if isinstance(value, SecretStr)]


@pytest.mark.parametrize("key", SIMULATED)
@pytest.mark.parametrize("empty", ["", "  "])
def test_no_secret_may_be_empty(key: str, empty: str) -> None:
    for name in secret_names(key):
        with pytest.raises(SettingsInvalid, match=name):
            connect(key, settings_of(key) | {name: empty})


@pytest.mark.parametrize("key", [b"", b" ", SecretStr("")])
def test_what_is_signed_with_the_empty_key_is_refused(key: SecretStr | bytes) -> None:
    for empty in (b"", b" "):
        digest = hmac.new(empty, b"body", hashlib.sha256)
        with pytest.raises(AuthFailed, match="empty"):
            signatures.require_hex(key, b"body", digest.hexdigest())
        with pytest.raises(AuthFailed, match="empty"):
            signatures.require_base64(key, b"body", base64.b64encode(digest.digest()).decode())


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "escaped": lambda text: text.replace("/", r"\/"),
    "quoted": lambda text: quote(text, safe=""),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", SIMULATED)
def test_a_secret_that_a_channel_repeats_with_status_200_reaches_nobody(
    key: str, form: str
) -> None:
    settings = settings_of(key)
    settings |= dict.fromkeys(secret_names(key), SECRET)
    echo = FORMS[form](SECRET)
    body = (
        '{"errors": [{"message": "bad token ' + echo + '", "code": "' + echo + '"}], '
        '"data": {"note": "' + echo + '"}}'
    )
    json.loads(body)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=body, headers={"content-type": "application/json"})

    async def story() -> tuple[str, str]:
        connector = connect(key, settings, transport=httpx.MockTransport(answer))
        raised = ""
        try:
            await connector.check()
        except ConnectorError as error:
            raised = f"{error!r} {error.__cause__!r}"
        read = await connector.api.json("GET", "/anything")
        await connector.api.aclose()
        return raised, json.dumps(read)

    raised, read = asyncio.run(story())
    for text in (raised, read):
        assert SECRET not in text
        assert "0123456789" not in text
    assert "***" in read
