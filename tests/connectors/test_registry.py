"""Installed connectors are found by their entry points and built from plain settings."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from connectors import Connector, capabilities, registry
from connectors.registry import ConnectorUnknown, SettingsInvalid, connect, installed
from connectors.shopify.connector import Shopify


def points(monkeypatch: pytest.MonkeyPatch, *named: tuple[str, str]) -> None:
    found = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in named)
    monkeypatch.setattr(registry, "entry_points", lambda group: found.select(group=group))


def test_ours_come_in_by_the_same_door_as_yours() -> None:
    found: dict[str, type[Connector[Any]]] = installed()
    assert {"notice_rest", "shopify", "square", "vendure", "warranty_rest"} <= set(found)
    assert {"bigcommerce", "ebay", "lightspeed", "medusa", "woocommerce"} <= set(found)
    assert found["shopify"] is Shopify
    assert "push_stock" in capabilities(found["square"])
    assert capabilities(found["warranty_rest"]) == ("lookup_warranty", "register_warranty")


def test_a_key_unlike_its_entry_point_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch, ("shop", "connectors.shopify.connector:Shopify"))
    with pytest.raises(ValueError, match="loads connector 'shopify'"):
        installed()


def test_two_packages_claiming_one_key_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points(
        monkeypatch,
        ("shopify", "connectors.shopify.connector:Shopify"),
        ("shopify", "other.package:Shopify"),
    )
    with pytest.raises(ValueError, match="several installed packages claim"):
        installed()
    with pytest.raises(ValueError, match="several installed packages claim"):
        connect("shopify", {})


def test_one_package_found_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch, *[("shopify", "connectors.shopify.connector:Shopify")] * 2)
    assert installed() == {"shopify": Shopify}


def test_a_broken_package_harms_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    points(
        monkeypatch,
        ("broken", "no.such:Thing"),
        ("shopify", "connectors.shopify.connector:Shopify"),
    )
    with pytest.raises(SettingsInvalid):
        connect("shopify", {})


def test_an_unknown_connector_is_named() -> None:
    with pytest.raises(ConnectorUnknown, match="'etsy'"):
        connect("etsy", {})


def test_wrong_settings_name_the_fields_and_repeat_no_value() -> None:
    given = {
        "shop_url": "not a url",
        "access_token": ["secret-token-value"],
        "webhook_secret": "secret-value",
        "location_id": "secret-location",
        "colour": "secret-colour",
    }
    with pytest.raises(SettingsInvalid) as caught:
        connect("shopify", given)
    fields = set(caught.value.fields)
    assert fields == {"shop_url", "access_token", "location_id", "colour"}
    assert "secret-" not in str(caught.value)
    assert caught.value.__suppress_context__
