"""Credentials of an Acme shop: a token that does not expire, on every call."""

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.remote import Remote


class Credentials(BaseModel):
    """What the shop gives to whom it lets in. Secrets are `SecretStr`; other names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr


def described(credentials: Credentials, base_url: str, calls_per_second: float) -> Remote:
    """Describe the API and how each call is let in. Nothing is asked here."""
    return Remote(
        base_url=base_url,
        headers={"Authorization": f"Bearer {credentials.token.get_secret_value()}"},
        calls_per_second=calls_per_second,
    )
