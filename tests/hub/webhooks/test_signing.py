"""Signatures as the Standard Webhooks specification says, verified by its own library."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from hub import webhooks
from hub.access.vault import Vault
from hub.errors import InvalidInput
from hub.webhooks import signing
from hub.webhooks.signing import Signature
from world import KEY

BODY = b'{"type":"unit.ship","data":{"serial":"SN-1"}}'


def test_the_vector_of_the_specifications_libraries() -> None:
    assert (
        signing.sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_specifications_library_takes_what_we_sign_and_nothing_that_was_changed() -> None:
    secret = signing.new_secret(Signature.HMAC)
    now = int(datetime.now(UTC).timestamp())
    headers = signing.headers([secret], "m-1", now, BODY)
    assert Webhook(secret).verify(BODY, headers)["type"] == "unit.ship"
    wrong: list[tuple[bytes, dict[str, Any]]] = [
        (BODY + b" ", headers),
        (BODY, headers | {"webhook-id": "m-2"}),
        (BODY, headers | {"webhook-timestamp": str(now + 1)}),
    ]
    for body, changed in wrong:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret(Signature.HMAC)).verify(BODY, headers)


def test_a_key_pair_signs_so_that_the_public_key_verifies() -> None:
    secret = signing.new_secret(Signature.ED25519)
    public = signing.shown(secret)
    assert public.startswith("whpk_")
    assert signing.shown(signing.new_secret(Signature.HMAC)).startswith("whsec_")
    kind, _, value = signing.sign(secret, "m-1", 1674087231, BODY).partition(",")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    assert kind == "v1a"
    key.verify(base64.b64decode(value), b"m-1.1674087231." + BODY)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(value), b"m-1.1674087232." + BODY)


def test_during_a_rotation_both_verify_and_afterwards_the_new_one_alone() -> None:
    vault, now = Vault(KEY), datetime.now(UTC)
    old, new = (signing.new_secret(Signature.HMAC) for _ in range(2))
    sealed = webhooks.seal(vault, new, old, now + timedelta(hours=24))
    assert old not in sealed
    opened = vault.open(sealed)
    headers = signing.headers(webhooks.keys_of(opened, now), "m", int(now.timestamp()), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    late = now + timedelta(hours=24)
    assert webhooks.keys_of(opened, late) == [new]


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_short", "whsec_" + "A" * 30, "whsec_" + "A" * 88, "A" * 44, "whsec_é"],
)
def test_a_secret_that_is_too_short_too_long_or_none_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput):
        webhooks.new_secret(Signature.HMAC, secret)


def test_a_partner_may_bring_a_shared_secret_along() -> None:
    given = "whsec_" + base64.b64encode(bytes(24)).decode()
    assert webhooks.new_secret(Signature.HMAC, given) == given
    with pytest.raises(InvalidInput):
        webhooks.new_secret(Signature.ED25519, given)
