"""Where a webhook may go: https, and only to addresses of the public internet.

Whoever names an address could name one of our own network, or of the machine's provider, and have
the hub post there (server-side request forgery). A name is checked when it is written down as far
as it can be; the address that it resolves to is checked before each connection, and that very
address is connected to.
"""

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from hub.errors import InvalidInput

URL_CHARS_MAX = 500
Address = IPv4Address | IPv6Address

# Blocks of the special-purpose registries (RFC 6890 and later) that are not the public internet,
# and multicast. They are written out: what a library takes for private differs by its version.
_CLOSED_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_OPEN_6 = ipaddress.IPv6Network("2000::/3")  # global unicast: all else is closed
_CLOSED_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "3fff::/20")  # Teredo is in the first
)
# Forms that carry an IPv4 address: where, and how far from their end.
_CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)


def is_public(address: Address) -> bool:
    """Say whether an address belongs to the public internet, whatever form it is written in."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _CLOSED_4)
    for block, bits in _CARRIERS:
        if address in block:
            return is_public(IPv4Address(int(address) >> bits & 0xFFFFFFFF))
    return address in _OPEN_6 and not any(address in block for block in _CLOSED_6)


def checked(url: str, *, private: bool = False) -> str:
    """Return an address that may be written down, or raise InvalidInput.

    `private` permits http and addresses of private networks, for development.
    """
    parts = _split(url)
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise InvalidInput("a webhook goes to an https address", field="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("an address has no user, password or fragment here", field="url")
    literal = literal_of(parts.hostname or "")
    if literal is not None and not private and not is_public(literal):
        raise InvalidInput("this address is not of the public internet", field="url")
    return url


def literal_of(host: str) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _split(url: str) -> SplitResult:
    if not 0 < len(url) <= URL_CHARS_MAX or not url.isascii() or not url.isprintable():
        text = f"an address has 1 to {URL_CHARS_MAX} characters of ASCII"
        raise InvalidInput(text, field="url")
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0 and " " not in url
    except ValueError:
        known = False
    if not known:
        raise InvalidInput("this is no address", field="url")
    return parts
