"""Rows of a file before their columns are known: texts, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hub.errors import InvalidInput

COLUMNS_MAX = 500
CELL_CHARS_MAX = 10_000
ROWS_MAX = 10_000_000


class RowCode(StrEnum):
    """Why a row was refused before its unit was looked at."""

    SHORT_LINE = "SHORT_LINE"  # fewer cells than the header
    LONG_LINE = "LONG_LINE"  # more cells than the header
    UNREADABLE = "UNREADABLE"  # no row at all: an open quote, a cell without end
    FORMULA = "FORMULA"  # a formula, or the error that it gave
    ROUNDED_NUMBER = "ROUNDED_NUMBER"  # a spreadsheet has cut digits off
    NOT_TEXT = "NOT_TEXT"  # a date, a truth value, or a number that is shown in another form
    MISSING_VALUE = "MISSING_VALUE"
    BAD_DATE = "BAD_DATE"
    BAD_CONDITION = "BAD_CONDITION"
    UNKNOWN_PRODUCT = "UNKNOWN_PRODUCT"
    PRODUCT_CONFLICT = "PRODUCT_CONFLICT"  # SKU and GTIN of the row are of two products
    UNKNOWN_LOCATION = "UNKNOWN_LOCATION"
    DUPLICATE_IN_FILE = "DUPLICATE_IN_FILE"


class BadRow(Exception):
    """A row can not be read; the others can."""

    def __init__(self, code: RowCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Raw:
    """One row: its number from 1, its cells as texts, and what is wrong with it.

    `typed` says, by the index of a cell, what the file holds there in place of a text.
    """

    number: int
    cells: tuple[str, ...]
    wrong: BadRow | None = None
    typed: Mapping[int, str] = field(default_factory=dict)


def header_of(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns: line breaks in them are blanks; raises InvalidInput."""
    columns = tuple(" ".join(cell.split()) for cell in cells)
    if not any(columns):
        raise InvalidInput("the file has no header", field="file")
    if len(columns) > COLUMNS_MAX:
        raise InvalidInput(f"a file has at most {COLUMNS_MAX} columns", field="file")
    named = [column for column in columns if column]
    if len(set(named)) < len(named):
        twice = next(column for column in named if named.count(column) > 1)
        raise InvalidInput(f"the column {twice!r} is there twice", field="file")
    return columns


def checked(number: int, cells: Sequence[str], width: int) -> Raw:
    """Return a row whose cells are as many as the columns; what is wrong with it is noted."""
    wrong = None
    if len(cells) < width:
        wrong = BadRow(RowCode.SHORT_LINE, f"{len(cells)} cells where the header has {width}")
    elif len(cells) > width:
        if any(cells[width:]):
            wrong = BadRow(RowCode.LONG_LINE, f"{len(cells)} cells where the header has {width}")
        cells = cells[:width]
    text = "".join(cells)  # one look for what is in few rows
    if "\x00" in text:
        wrong = BadRow(RowCode.UNREADABLE, "a cell holds the character U+0000")
        cells = [cell.replace("\x00", "") for cell in cells]
    if "\ufffd" in text:
        words = "a character is none of the file's encoding: save it as UTF-8, or name its encoding"
        wrong = BadRow(RowCode.UNREADABLE, words)
    if len(text) > CELL_CHARS_MAX and any(len(cell) > CELL_CHARS_MAX for cell in cells):
        wrong = BadRow(RowCode.UNREADABLE, f"a cell has at most {CELL_CHARS_MAX} characters")
        cells = [cell[:CELL_CHARS_MAX] for cell in cells]
    return Raw(number, tuple(cells), wrong)


def counted(number: int) -> int:
    """Return the number of a row; raises InvalidInput for more rows than a file may have."""
    if number > ROWS_MAX:
        raise InvalidInput(f"a file has at most {ROWS_MAX} rows", field="file")
    return number
