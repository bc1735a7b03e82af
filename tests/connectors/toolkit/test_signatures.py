"""Webhook signatures: what is signed is accepted, anything else is AuthFailed."""

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from connectors import AuthFailed
from connectors.toolkit import signatures

KEY, BODY = b"a-signing-key", b'{"id": 1}'
DIGEST = hmac.new(KEY, BODY, hashlib.sha256).digest()
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_both_notations_are_verified() -> None:
    signatures.require_hex(KEY, BODY, DIGEST.hex())
    signatures.require_base64(KEY, BODY, b64encode(DIGEST).decode())
    signatures.require_hex_or_base64(DIGEST, DIGEST.hex())
    signatures.require_hex_or_base64(DIGEST, b64encode(DIGEST).decode())


@pytest.mark.parametrize("given", ["", "é", DIGEST.hex()[:-1], DIGEST.hex().upper()])
def test_another_signature_is_refused(given: str) -> None:
    with pytest.raises(AuthFailed):
        signatures.require_hex(KEY, BODY, given)
    with pytest.raises(AuthFailed):
        signatures.require_base64(KEY, BODY, given)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_recorded_standard_webhook_is_refused(minutes: int) -> None:
    sent_at = str(int(NOW.timestamp()))
    signed = hmac.new(KEY, f"id-1.{sent_at}.".encode() + BODY, hashlib.sha256).digest()
    headers = {
        "webhook-id": "id-1",
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,other v1,{b64encode(signed).decode()}",
    }
    assert signatures.require_standard_webhook(KEY, headers, BODY, NOW) == "id-1"
    late = NOW + timedelta(minutes=minutes)
    with pytest.raises(AuthFailed):
        signatures.require_standard_webhook(KEY, headers, BODY, late)
