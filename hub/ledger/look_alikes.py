"""Look-alikes: new serials that a reader would take for known ones of their product (0/O, 1/I/L …).

A warning and no refusal: the serials may both be right. Whoever sees it compares the labels, and
joins the records where it is one unit.
"""

from collections.abc import Mapping
from typing import TypedDict

from hub.identifiers.numbers import skeleton
from hub.ledger.commissioning import Admitted
from hub.storage.sql import Transaction

FOUND_MAX = 2_000  # known units that one command is compared with


class _Like(TypedDict):
    product_id: str
    serial: str
    skeleton: str


def warnings(tx: Transaction, admitted: Mapping[int, Admitted]) -> dict[int, str]:
    """Return for new units that look like another one of their product a warning, by their index.

    One look-up by an index for all of them, before they are written. Announced units are left out:
    their serials are no surprise.
    """
    new = {index: each for index, each in admitted.items() if not each.expected_id}
    folded = {index: skeleton(each.arrival.serial) for index, each in new.items()}
    likes: dict[tuple[str, str], str] = {}
    for row in tx.rows_as(
        _Like,
        "SELECT product_id, serial, skeleton FROM unit WHERE skeleton IN (:folded...) LIMIT :most",
        folded=sorted(set(folded.values())),
        most=FOUND_MAX,
    ):
        likes.setdefault((row["product_id"], row["skeleton"]), row["serial"])
    found: dict[int, str] = {}
    for index, each in new.items():
        key = (each.product["id"], folded[index])
        known = likes.get(key)
        if known is not None:
            found[index] = f"{each.arrival.serial} looks like {known}, which is known: compare them"
        else:
            likes[key] = each.arrival.serial
    return found
