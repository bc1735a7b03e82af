"""The door of the simulator: it lets in who signs with the secret."""

from connectors.testing.doors import Door, HmacDoor


def door() -> Door:
    """Return a door with a key and a secret of its own."""
    return HmacDoor("twin-acme-key", "twin-acme-signing-secret", prefix="x-acme")
