"""The door of the simulator: it gives tokens to the client, and lets in who has one."""

from connectors.testing.doors import Door, OAuthDoor


def door() -> Door:
    """Return a door with a client of its own."""
    return OAuthDoor(("twin-acme-client", "twin-acme-client-secret"))
