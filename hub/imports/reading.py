"""Reading files of rows as a stream: the same texts, whatever the file's format.

A CSV may have any delimiter, a byte order mark, and be UTF-8, UTF-16 or Latin-1. XLSX and Parquet
need the libraries of the extra `import`.
"""

import csv
import hashlib
import math
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any

from hub.errors import InvalidInput

CHUNK_BYTES = 1024 * 1024
COLUMNS_MAX = 500
CELL_CHARS_MAX = 10_000
DELIMITERS = ",;\t|"
PARQUET_ROWS = 2_000  # read at once
# A spreadsheet holds 15 digits of a number: what is longer was rounded.
SPREADSHEET_DIGITS = 15


class RowCode(StrEnum):
    """Why a row was refused before its unit was looked at."""

    SHORT_LINE = "SHORT_LINE"  # fewer cells than the header
    LONG_LINE = "LONG_LINE"  # more cells than the header
    UNREADABLE = "UNREADABLE"  # no row at all: an open quote, a cell without end
    FORMULA = "FORMULA"  # a formula, or the error that it gave
    ROUNDED_NUMBER = "ROUNDED_NUMBER"  # a spreadsheet has cut digits off
    MISSING_VALUE = "MISSING_VALUE"
    BAD_DATE = "BAD_DATE"
    BAD_CONDITION = "BAD_CONDITION"
    UNKNOWN_PRODUCT = "UNKNOWN_PRODUCT"
    UNKNOWN_LOCATION = "UNKNOWN_LOCATION"
    DUPLICATE_IN_FILE = "DUPLICATE_IN_FILE"


class BadRow(Exception):
    """A row can not be read; the others can."""

    def __init__(self, code: RowCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Raw:
    """One row: its number from 1, its cells as texts, and what is wrong with it."""

    number: int
    cells: tuple[str, ...]
    wrong: BadRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that can be read: its format, its columns, and how it is to be opened."""

    path: Path
    format: str
    digest: str  # SHA-256
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    total: int | None = None  # rows, as far as the file tells

    def rows(self) -> Iterator[Raw]:
        """Read the rows, one after the other."""
        reader = {"csv": _csv_rows, "xlsx": _xlsx_rows, "parquet": _parquet_rows}[self.format]
        return reader(self)


def look(path: Path, delimiter: str | None = None) -> Source:
    """Look at a file: what it is, and which columns it has; raises InvalidInput if it is none."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(b"PK"):
        return _xlsx(path, _digest(path)[0])
    if head == b"PAR1":
        return _parquet(path, _digest(path)[0])
    return _csv(path, delimiter)


def _digest(path: Path) -> tuple[str, bool, int]:
    """Return the SHA-256 of a file, whether it is UTF-8, and how many lines it has."""
    digest, lines, plain = hashlib.sha256(), 0, True
    decoder = getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            digest.update(part)
            lines += part.count(b"\n")
            if plain:
                try:
                    decoder.decode(part)
                except UnicodeDecodeError:
                    plain = False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        plain = False
    return digest.hexdigest(), plain, lines


def _csv(path: Path, delimiter: str | None) -> Source:
    digest, plain, lines = _digest(path)
    with path.open("rb") as file:
        mark = file.read(3)
    encoding = "utf-8" if plain else "latin-1"
    if mark == BOM_UTF8:
        encoding = "utf-8-sig"
    elif mark[:2] in {BOM_UTF16_LE, BOM_UTF16_BE}:
        encoding = "utf-16"
    if delimiter is not None and len(delimiter) != 1:
        raise InvalidInput("a delimiter is one character", field="delimiter")
    try:
        with path.open(encoding=encoding, newline="") as file:
            header = file.readline(CELL_CHARS_MAX * 10)
        delimiter = delimiter or max(DELIMITERS, key=lambda each: _width(header, each))
        columns = _columns(next(csv.reader([header], delimiter=delimiter), []))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"the file can not be read: {error}", field="file") from error
    return Source(
        path=path,
        format="csv",
        digest=digest,
        columns=columns,
        encoding=encoding,
        delimiter=delimiter,
        total=max(0, lines - 1) or None,
    )


def _width(header: str, delimiter: str) -> int:
    return len(next(csv.reader([header], delimiter=delimiter), []))


def _columns(cells: list[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip() for cell in cells)
    if not any(columns):
        raise InvalidInput("the file has no header", field="file")
    if len(columns) > COLUMNS_MAX:
        raise InvalidInput(f"a file has at most {COLUMNS_MAX} columns", field="file")
    named = [column for column in columns if column]
    if len(set(named)) < len(named):
        twice = next(column for column in named if named.count(column) > 1)
        raise InvalidInput(f"the column {twice!r} is there twice", field="file")
    return columns


def _csv_rows(source: Source) -> Iterator[Raw]:
    with source.path.open(encoding=source.encoding, newline="", errors="replace") as file:
        reader = csv.reader(file, delimiter=source.delimiter)
        next(reader, None)
        number = 0
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                yield Raw(number, (), BadRow(RowCode.UNREADABLE, f"no row: {error}"))
                continue
            if cells:
                number += 1
                yield _checked(number, [cell.strip() for cell in cells], len(source.columns))


def _checked(number: int, cells: list[str], width: int) -> Raw:
    wrong = None
    if len(cells) < width:
        text = f"{len(cells)} cells where the header has {width}"
        wrong = BadRow(RowCode.SHORT_LINE, text)
    elif len(cells) > width:
        if any(cells[width:]):
            text = f"{len(cells)} cells where the header has {width}"
            wrong = BadRow(RowCode.LONG_LINE, text)
        cells = cells[:width]
    if any("\x00" in cell for cell in cells):
        wrong = BadRow(RowCode.UNREADABLE, "a cell holds the character U+0000")
        cells = [cell.replace("\x00", "") for cell in cells]
    if any(len(cell) > CELL_CHARS_MAX for cell in cells):
        wrong = BadRow(RowCode.UNREADABLE, f"a cell has at most {CELL_CHARS_MAX} characters")
        cells = [cell[:CELL_CHARS_MAX] for cell in cells]
    return Raw(number, tuple(cells), wrong)


def _missing(library: str, error: ImportError) -> InvalidInput:
    refusal = InvalidInput(
        f"{library} is not installed: pip install 'serial-hub[import]', or save the file as CSV",
        field="file",
    )
    refusal.__cause__ = error
    return refusal


def _sheet(path: Path) -> Any:
    """Open the first sheet of a workbook; the caller closes its `parent`."""
    try:
        import openpyxl
    except ImportError as error:
        raise _missing("openpyxl", error) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=False)
        return book.worksheets[0]
    except Exception as error:  # openpyxl tells a broken file by a dozen of different errors
        raise InvalidInput(f"this is no XLSX workbook: {error}", field="file") from error


def _xlsx(path: Path, digest: str) -> Source:
    sheet = _sheet(path)
    try:
        header = next(sheet.iter_rows(values_only=True), ())
        cells = [_text(cell) for cell in header]
        while cells and not cells[-1]:
            cells.pop()
        return Source(
            path=path,
            format="xlsx",
            digest=digest,
            columns=_columns(cells),
            total=(sheet.max_row or 1) - 1 or None,
        )
    finally:
        sheet.parent.close()


def _xlsx_rows(source: Source) -> Iterator[Raw]:
    sheet = _sheet(source.path)
    width = len(source.columns)
    try:
        number = 0
        for values in sheet.iter_rows(min_row=2, values_only=True):
            if any(value is not None for value in values):
                number += 1
                yield _typed(number, values, width, digits_max=SPREADSHEET_DIGITS)
    finally:
        sheet.parent.close()


def _typed(number: int, values: Any, width: int, *, digits_max: int | None = None) -> Raw:
    """Turn typed cells into texts. Trailing cells may lack: spreadsheets do not keep empty ones."""
    padded = [*values, *[None] * (width - len(values))]
    read = _checked(number, [_text(value) for value in padded], width)
    numbers = [f"{each:.0f}" for each in padded if isinstance(each, int | float)]
    cut = next((each for each in numbers if digits_max and len(each) > digits_max), None)
    if cut is not None:
        text = f"a number has {digits_max} digits in a spreadsheet, {cut} was cut: use text cells"
        return replace(read, wrong=BadRow(RowCode.ROUNDED_NUMBER, text))
    return read


def _text(value: Any) -> str:
    """Write a cell as text: whole numbers without a point, days as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        if value.is_integer():
            value = int(value)
    if isinstance(formula := getattr(value, "text", None), str):  # of a whole range of cells
        return formula
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()


def _parquet_file(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise _missing("pyarrow", error) from error
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidInput(f"this is no Parquet file: {error}", field="file") from error


def _parquet(path: Path, digest: str) -> Source:
    with _parquet_file(path) as file:
        return Source(
            path=path,
            format="parquet",
            digest=digest,
            columns=_columns([str(name) for name in file.schema_arrow.names]),
            total=int(file.metadata.num_rows),
        )


def _parquet_rows(source: Source) -> Iterator[Raw]:
    width = len(source.columns)
    with _parquet_file(source.path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield _typed(number, values, width)
