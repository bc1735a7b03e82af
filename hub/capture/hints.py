"""Suggestions for misread serials: look-alikes, transpositions, truncations of known serials."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product as combinations
from typing import TypedDict

from hub.capture.answers import CaptureCode, Suggestion
from hub.errors import InvalidBarcode
from hub.identifiers.keyboards import as_typed_elsewhere
from hub.identifiers.numbers import canonical, skeleton
from hub.identifiers.serials import matches
from hub.storage.sql import Row, Transaction

SUGGESTIONS_MAX = 10
ROWS_MAX = 200  # of those that share one folded form
PIECE_CHARS_MIN = 4  # a shorter piece fits too many serials to suggest one
MIXED_CHARS_MAX = 6
FILLED_CHARS_MAX = 40

_CLOSER = (CaptureCode.LOOK_ALIKE, CaptureCode.TRANSPOSED, CaptureCode.TRUNCATED)
LIKE = (
    "SELECT COALESCE(merged_into, id) AS id, product_id, serial, serial_canonical FROM unit WHERE "
)


class _SimilarUnit(TypedDict):
    id: str
    product_id: str
    serial: str
    serial_canonical: str


def transpositions(key: str) -> set[str]:
    """Return all results of exchanging two neighbours of a canonical serial."""
    return {
        key[:place] + key[place + 1] + key[place] + key[place + 2 :]
        for place in range(len(key) - 1)
        if key[place] != key[place + 1]
    }


def near_expected(key: str, expected: Mapping[str, Suggestion]) -> list[Suggestion]:
    """Return the expected serials that differ by one reading error."""
    folded, slips = skeleton(key), transpositions(key)
    found = []
    for other, known in sorted(expected.items()):
        if other == key:
            continue
        if other in slips:
            why = CaptureCode.TRANSPOSED
        elif skeleton(other) == folded:
            why = CaptureCode.LOOK_ALIKE
        elif _is_piece(key, other):
            why = CaptureCode.TRUNCATED
        else:
            continue
        found.append(Suggestion(serial=known.serial, why=why, unit_id=known.unit_id))
    return found[:SUGGESTIONS_MAX]


def _is_piece(key: str, whole: str) -> bool:
    cut = whole.startswith(key) or whole.endswith(key)
    return cut and PIECE_CHARS_MIN <= len(key) < len(whole)


def near_known(
    tx: Transaction, keys: Iterable[str], product: Row | None, *, pieces: bool
) -> list[Suggestion]:
    """Return known units whose serials differ by one reading error; of `product`, if given.

    Three look-ups, each by an index: the folded form, all exchanges of neighbours at once, and,
    with `pieces`, serials that begin with what was read.
    """
    wanted = sorted(set(keys))
    of_product, given = _of(product)
    found = [
        (row, CaptureCode.LOOK_ALIKE)
        for row in tx.rows_as(
            _SimilarUnit,
            f"{LIKE}skeleton IN (:folded...){of_product} LIMIT :limit",
            folded=sorted({skeleton(key) for key in wanted}),
            limit=ROWS_MAX,
            **given,
        )
    ]
    found += [
        (row, CaptureCode.TRANSPOSED)
        for row in tx.rows_as(
            _SimilarUnit,
            f"{LIKE}serial_canonical IN (:slips...){of_product} LIMIT :limit",
            slips=sorted({slip for key in wanted for slip in transpositions(key)}),
            limit=ROWS_MAX,
            **given,
        )
    ]
    if pieces:
        for key in wanted:
            found += [(row, CaptureCode.TRUNCATED) for row in _beginning(tx, key, product)]
    suggested: dict[str, Suggestion] = {}
    for row, why in sorted(found, key=lambda each: (_CLOSER.index(each[1]), each[0]["id"])):
        if row["serial_canonical"] not in wanted:
            each = Suggestion(serial=row["serial"], why=why, unit_id=row["id"])
            suggested.setdefault(row["id"], each)
    return list(suggested.values())[:SUGGESTIONS_MAX]


def other_layouts(tx: Transaction, texts: Iterable[str], product: Row | None) -> list[Suggestion]:
    """Return the units whose serials were read by a scanner that is set to another keyboard."""
    keys = set()
    for text in texts:
        for variant in as_typed_elsewhere(text):
            try:
                keys.add(canonical(variant))
            except InvalidBarcode:
                continue
    if not keys:
        return []
    of_product, given = _of(product)
    rows = tx.rows_as(
        _SimilarUnit,
        f"{LIKE}serial_canonical IN (:keys...){of_product} LIMIT :limit",
        keys=sorted(keys),
        limit=SUGGESTIONS_MAX,
        **given,
    )
    return [
        Suggestion(serial=row["serial"], why=CaptureCode.LOOK_ALIKE, unit_id=row["id"])
        for row in rows
    ]


def _of(product: Row | None) -> tuple[str, dict[str, str]]:
    if product is None:
        return "", {}
    # The concatenation keeps the planner from the index of the product, which has most units.
    return " AND product_id || '' = :product_id", {"product_id": product["id"]}


def _beginning(tx: Transaction, key: str, product: Row | None) -> list[_SimilarUnit]:
    if len(key) < PIECE_CHARS_MIN:
        return []
    of_product, given = _of(product)
    return tx.rows_as(
        _SimilarUnit,
        f"{LIKE}serial_canonical > :low AND serial_canonical < :high{of_product} "
        "ORDER BY serial_canonical LIMIT :limit",
        low=key,
        high=f"{key}\U0010fffd",
        limit=SUGGESTIONS_MAX,
        **given,
    )


@lru_cache(5_000)
def is_cut(serial: str, rule: str) -> bool:
    """Return whether a serial that violates a rule is provably a part of one that matches it.

    It is if a filler before or after it makes it match: every mixture of digits and letters for a
    few lost characters, repeated ones for many.
    """
    mixed = (
        "".join(each)
        for length in range(1, MIXED_CHARS_MAX + 1)
        for each in combinations("1A", repeat=length)
    )
    alike = (
        letter * length
        for length in range(MIXED_CHARS_MAX + 1, FILLED_CHARS_MAX + 1)
        for letter in "1A"
    )
    fillers = [*mixed, *alike]
    return any(matches(serial + each, rule) or matches(each + serial, rule) for each in fillers)


def expected_serials(tx: Transaction, expected: Iterable[str]) -> dict[str, Suggestion]:
    """Return the expected serials or ids as suggestions, by canonical form."""
    hints = sorted(set(expected))
    found: dict[str, Suggestion] = {}
    for row in tx.rows_as(_SimilarUnit, f"{LIKE}id IN (:ids...)", ids=hints):
        found[row["serial_canonical"]] = Suggestion(
            serial=row["serial"], why=CaptureCode.OK, unit_id=row["id"]
        )
        hints.remove(row["id"])
    for hint in hints:
        try:
            key = canonical(hint)
        except InvalidBarcode:
            continue  # a text without a canonical form can not be read either
        found.setdefault(key, Suggestion(serial=hint, why=CaptureCode.OK))
    return found
