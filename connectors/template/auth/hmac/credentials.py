"""Credentials of an Acme shop: a secret that signs every request."""

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.remote import Remote
from connectors.toolkit.signatures import HmacAuth


class Credentials(BaseModel):
    """What the shop gives to whom it lets in. Secrets are `SecretStr`; other names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_id: str
    signing_secret: SecretStr


def described(credentials: Credentials, base_url: str, calls_per_second: float) -> Remote:
    """Describe the API and how each call is let in. Nothing is asked here."""
    secret = credentials.signing_secret.get_secret_value()
    return Remote(
        base_url=base_url,
        auth=HmacAuth(credentials.key_id, secret, prefix="x-acme"),
        secrets=(secret,),
        calls_per_second=calls_per_second,
    )
