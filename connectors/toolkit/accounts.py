"""Names of the parts of a remote account that a channel serves.

Two channels that serve the same part read the same orders and sell the same stock twice. A part is
named from the outside in, as in ``shop.example / counter / L1``: a channel of the whole shop
overlaps with one of its counters, and two counters do not overlap.
"""

from urllib.parse import urlsplit

SEPARATOR = " / "


def account_part(*names: str) -> str:
    """Name a part of an account, the widest name first; empty names are left out."""
    return SEPARATOR.join(name.strip() for name in names if name.strip())


def address_of(url: object) -> str:
    """Return host and path of an address: the same shop by http, by https and with a slash."""
    found = urlsplit(str(url))
    host = (found.hostname or "").removeprefix("www.")
    port = f":{found.port}" if found.port else ""
    return f"{host}{port}{found.path.rstrip('/')}"
