"""The vault: credentials of channels are sealed before they reach the database.

The key comes from the settings; without one it is made once and kept beside the database in a
file that only its owner can read. Several keys, separated by commas, open what older ones sealed;
the first one seals.
"""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class WrongKey(RuntimeError):
    """The settings were sealed with an unknown key. Next: add that key to the configuration."""


class Vault:
    """Seals and opens settings."""

    def __init__(self, keys: str) -> None:
        each = [key.strip() for key in keys.split(",") if key.strip()]
        self._keys = [key.encode() for key in each]
        self._fernet = MultiFernet([Fernet(key) for key in each])

    def __repr__(self) -> str:
        return "Vault()"

    def derive(self, purpose: str) -> str:
        """Derive a key for another purpose, such as signing sessions, from the first key."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> list[str]:
        """Derive a key for another purpose from each key, the current one first."""
        return [hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest() for key in self._keys]

    def seal(self, settings: dict[str, Any]) -> str:
        """Encrypt settings for the database."""
        return self._fernet.encrypt(orjson.dumps(settings)).decode()

    def open(self, sealed: str) -> dict[str, Any]:
        """Decrypt settings; raises WrongKey, also for what was never sealed."""
        try:
            opened: dict[str, Any] = orjson.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as error:  # what is no base64 is a ValueError
            raise WrongKey("the secret key can not open what is stored here") from error
        return opened

    def resealed(self, sealed: str) -> str | None:
        """Return what is sealed, sealed with the current key; None if it is already.

        Raises WrongKey for what no key opens.
        """
        data = sealed.encode()
        try:
            Fernet(self._keys[0]).decrypt(data)
        except (InvalidToken, ValueError):
            pass
        else:
            return None
        try:
            return self._fernet.rotate(data).decode()
        except (InvalidToken, ValueError) as error:
            raise WrongKey("the secret key can not open what is stored here") from error


def key_beside(directory: Path) -> str:
    """Return the key kept in a directory, made on first use, readable by its owner only."""
    path = directory / "serial-hub.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    key = Fernet.generate_key().decode()
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")
    return key
