"""Template of a connector: an installable package with connector, simulator, driver and tests.

`package/` is that package for a channel called Acme. It is real code: it is linted and typed with
ours, and a test installs a copy and scores it. A new connector is a copy under another name.
"""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from connectors.registry import keys

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NAME_CHARS_MAX = 40
# No file of ours that pytest would take for a test of ours.
_PLACES = {"promises.py": "tests/test_acme.py"}


class NameRefused(ValueError):
    """The name or the folder cannot be used for a new connector. Choose another."""


AUTHS = ("api-key", "oauth2", "hmac")
"""How the remote knows who calls: a key on every call, tokens that expire, or a signature."""


def begin(name: str, folder: Path, auth: str = AUTHS[0]) -> list[Path]:
    """Write a new package for a channel into an empty or new folder; returns its files.

    `name` becomes the connector's key: small letters, digits and single underscores. `auth` is one
    of `AUTHS`.
    """
    if auth not in AUTHS:
        raise NameRefused(f"{auth!r}: the remote knows who calls by {', '.join(AUTHS)}")
    if not _NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX:
        raise NameRefused(f"{name!r}: small letters, digits and underscores, as in big_shop")
    if name in keys():
        raise NameRefused(f"a connector {name!r} is installed already")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NameRefused(f"{folder} is not an empty folder")
    made = _copied(files(__name__).joinpath("package"), folder, name)
    if auth != AUTHS[0]:  # two files of the package are others
        other = files(__name__).joinpath("auth", auth)
        _copied(other, folder / _renamed("serial_hub_acme", name), name)
    return made


def _copied(source: Traversable, target: Path, name: str) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for each in sorted(source.iterdir(), key=lambda entry: entry.name):
        if each.name.startswith("__") and each.name != "__init__.py":
            continue
        known = each.name.removesuffix(".template")
        place = target / _renamed(_PLACES.get(known, known), name)
        if each.is_dir():
            made += _copied(each, place, name)
        else:
            place.parent.mkdir(exist_ok=True)
            place.write_text(_renamed(each.read_text(encoding="utf-8"), name), encoding="utf-8")
            made.append(place)
    return made


def _renamed(text: str, name: str) -> str:
    """Put another channel's name in the place of Acme's."""
    spoken = "".join(part.capitalize() for part in name.split("_"))
    dashed = name.replace("_", "-")
    for old, new in (
        ("serial-hub-acme", f"serial-hub-{dashed}"),
        ("x-acme", f"x-{dashed}"),
        ("acme", name),
        ("Acme", spoken),
    ):
        text = text.replace(old, new)
    return text
