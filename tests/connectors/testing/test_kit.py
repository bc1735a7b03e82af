"""The kit explains its failures, knows what does not concern a connector, and wants no guess."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, ClassVar, get_type_hints

import pytest
from pydantic import BaseModel, Field

from connectors.medusa.connector import Medusa, MedusaSettings
from connectors.medusa.driver import MedusaDriver
from connectors.shopify.connector import Shopify
from connectors.shopify.driver import ShopifyDriver
from connectors.square.connector import Square
from connectors.testing import ConformanceFailure
from connectors.testing.case import NotApplicable
from connectors.testing.harness import run_case
from connectors.testing.simulator_driver import DriverIncomplete, SimulatorDriver
from hub import vocabulary
from hub.vocabulary import Order

from .faults import BY_NAME, ChecksNothing, SaysWhatItWants, plant


def test_amounts_that_cross_the_contract_are_exact_decimals() -> None:
    words = [each for each in vars(vocabulary).values() if is_dataclass(each)]
    assert Order in words
    hints = {
        field.name: get_type_hints(each)[field.name] for each in words for field in fields(each)
    }
    assert not [name for name, hint in hints.items() if "float" in str(hint)]
    amounts = {"total", "discount", "tax", "shipping", "refunded", "unit_price"}
    assert {hints[name] for name in amounts} - {int} == {Decimal | None}


class ByToken(ShopifyDriver):
    """A shop whose app fetches its token."""

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.settings_with_tokens(url) or {}


def test_a_token_that_is_fetched_is_no_call_of_a_push() -> None:
    run_case(BY_NAME["edits-within-a-push-are-seen"], Shopify, ByToken)


class KeySettings(MedusaSettings):
    sort_key: str = "created_at"


class OpenKeySettings(MedusaSettings):
    sort_key: str = Field("created_at", json_schema_extra={"secret": False})


class SoundsSecret(Medusa):
    settings_model: ClassVar[type[BaseModel]] = KeySettings


class StatesThatItIsNone(Medusa):
    settings_model: ClassVar[type[BaseModel]] = OpenKeySettings


def test_a_setting_that_sounds_secret_is_one_or_is_declared() -> None:
    row = BY_NAME["secrets-do-not-show"]
    with pytest.raises(ConformanceFailure, match=r"sort_key.*json_schema_extra"):
        run_case(row, SoundsSecret, MedusaDriver)
    run_case(row, StatesThatItIsNone, MedusaDriver)


def test_a_failure_names_the_calls_the_wanted_state_and_the_page() -> None:
    with pytest.raises(ConformanceFailure) as caught:
        run_case(BY_NAME["quantities-are-set"], plant(SaysWhatItWants, Medusa), MedusaDriver)
    text = str(caught.value)
    assert "wanted (quantities-are-set): A quantity that was pushed is shown there" in text
    assert "by: PushStock.push_stock" in text
    assert "sent: " in text
    assert "docs/connectors/writing.md" in text


def test_a_row_whose_call_is_missing_says_so() -> None:
    with pytest.raises(ConformanceFailure, match="no request at all: is a call missing"):
        run_case(BY_NAME["revoked-access"], plant(ChecksNothing, Medusa), MedusaDriver)


class KeepsCancelledUnits(Shopify):
    restocks_cancelled = False


def test_a_channel_that_adds_nothing_back_states_it() -> None:
    """The flag is held to what the channel does: a shop that adds them fails with it."""
    with pytest.raises(ConformanceFailure, match="restocks_cancelled"):
        run_case(BY_NAME["cancelled-here"], KeepsCancelledUnits, ShopifyDriver)


def test_a_row_says_why_it_does_not_concern_a_connector() -> None:
    assert BY_NAME["cancelled-here"].not_applicable(Square) == "not able to cancel orders"
    assert "compares_stock" in (BY_NAME["foreign-edits-are-seen"].not_applicable(Square) or "")
    assert BY_NAME["check-passes"].not_applicable(Medusa) is None
    with pytest.raises(NotApplicable, match="run out"):
        run_case(BY_NAME["expired-tokens-are-replaced"], Medusa, MedusaDriver)


def test_a_driver_that_lacks_something_fails_the_row_and_names_it() -> None:
    class Unfinished(MedusaDriver):
        foreign_edit = SimulatorDriver.foreign_edit

    with pytest.raises(DriverIncomplete, match="Unfinished has to define foreign_edit"):
        run_case(BY_NAME["foreign-edits-are-seen"], Medusa, Unfinished)


def test_a_row_without_a_failure_returns_what_was_sent() -> None:
    sent = run_case(BY_NAME["quantities-are-set"], Medusa, MedusaDriver)
    assert {request.url.path for request in sent} >= {"/admin/inventory-items"}
