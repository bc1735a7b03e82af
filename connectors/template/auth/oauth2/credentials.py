"""Credentials of an Acme shop: OAuth 2.0 client credentials, for tokens that expire."""

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.remote import Remote
from connectors.toolkit.tokens import client_credentials_auth


class Credentials(BaseModel):
    """What the shop gives to whom it lets in. Secrets are `SecretStr`; other names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: SecretStr


def described(credentials: Credentials, base_url: str, calls_per_second: float) -> Remote:
    """Describe the API and how each call is let in. Nothing is asked here."""
    secret = credentials.client_secret.get_secret_value()
    return Remote(
        base_url=base_url,
        auth=client_credentials_auth(f"{base_url}/oauth/token", credentials.client_id, secret),
        secrets=(secret,),
        calls_per_second=calls_per_second,
    )
