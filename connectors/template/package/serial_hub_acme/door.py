"""The door of the simulator: it lets in who has the token."""

from connectors.testing.doors import Door, KeyDoor


def door() -> Door:
    """Return a door with a token of its own."""
    return KeyDoor("twin-acme-token", "token")
