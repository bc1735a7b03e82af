"""Workbooks (XLSX), read as a stream: the first sheet that is not hidden, or a named one.

A workbook stores numbers, dates and truth values, and shows them in a format of their own. What is
stored is read, except that zeros in front which a format shows are kept. Where a cell that names a
unit stores another text than it shows, its row says so (`Raw.typed`).
"""

import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from hub.errors import InvalidInput
from hub.imports.rows import COLUMNS_MAX, BadRow, Raw, RowCode, checked, counted, header_of

UNPACKED_BYTES_MAX = 2 * 1024**3
STRINGS_BYTES_MAX = 512 * 1024**2  # they are held in memory
OTHERS_BYTES_MAX = 64 * 1024**2  # of what is neither a sheet nor its texts, and held in memory too
RATIO_MAX = 200  # of unpacked bytes to packed ones; sheets of units have 5 to 40
RATIO_FREE_BYTES = 64 * 1024**2  # so many may be unpacked at any ratio
SHEET_ROWS_MAX = 1_048_576  # of the format: a higher row number is a mistake, or a trap
# A spreadsheet holds 15 digits of a number: what is longer was rounded.
SPREADSHEET_DIGITS = 15

_ZEROS = re.compile(r"0+")
_PLAIN_FORMATS = frozenset({"General", "GENERAL", "@", "0", "#", None})


@contextmanager
def sheet_of(path: Path, name: str | None) -> Iterator[Any]:
    """Open a sheet of a workbook, whatever the name of the file; raises InvalidInput."""
    try:
        import openpyxl
    except ImportError as error:
        raise missing("openpyxl", error) from error
    with path.open("rb") as file:
        _check_size(path)
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=False)
        except Exception as error:  # openpyxl names a broken file by a dozen of different errors
            raise InvalidInput(f"this is no XLSX workbook: {error}", field="file") from error
        try:
            yield _chosen(book, name)
        finally:
            book.close()


def missing(library: str, error: ImportError) -> InvalidInput:
    """Return the refusal of a file whose library is not installed."""
    refusal = InvalidInput(
        f"{library} is not installed: pip install 'serial-hub[import]', or save the file as CSV",
        field="file",
    )
    refusal.__cause__ = error
    return refusal


def _check_size(path: Path) -> None:
    """Raise InvalidInput for a workbook that is too large once it is unpacked."""
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
        if "[Content_Types].xml" not in {each.filename for each in members}:
            raise InvalidInput(
                "this is a packed file (ZIP) and no workbook: unpack it first", field="file"
            )
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInput(f"this is no XLSX workbook: {error}", field="file") from error
    strings = sum(each.file_size for each in members if "sharedStrings" in each.filename)
    others = sum(each.file_size for each in members if _is_held(each.filename))
    unpacked = sum(each.file_size for each in members)
    check_ratio(unpacked, path.stat().st_size)
    if unpacked > UNPACKED_BYTES_MAX or strings > STRINGS_BYTES_MAX or others > OTHERS_BYTES_MAX:
        raise InvalidInput(
            f"unpacked, a workbook has at most {UNPACKED_BYTES_MAX // 1024**2} MiB, "
            f"{STRINGS_BYTES_MAX // 1024**2} of them texts: save it as CSV",
            field="file",
        )


def _is_held(name: str) -> bool:
    """Return whether a part of a workbook is read as a whole: its styles, its list of sheets."""
    return name.endswith((".xml", ".rels")) and not re.search(r"sharedStrings|/worksheets/", name)


def check_ratio(unpacked: int, packed: int) -> None:
    """Raise InvalidInput for a file that unpacks to far more bytes than a file of units does."""
    if unpacked > RATIO_FREE_BYTES and unpacked > RATIO_MAX * packed:
        raise InvalidInput(
            f"the file unpacks to {unpacked // 1024**2} MiB, {unpacked // max(packed, 1)} times "
            f"its size, and may to {RATIO_MAX} times: save it as CSV",
            field="file",
        )


def _rows_of(opened: Any, columns_max: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a sheet, blank ones too; raises InvalidInput behind the format's last."""
    for number, cells in enumerate(opened.iter_rows(max_col=columns_max), start=1):
        if number > SHEET_ROWS_MAX:
            raise InvalidInput(f"a sheet has at most {SHEET_ROWS_MAX} rows", field="file")
        yield cells


def _chosen(book: Any, name: str | None) -> Any:
    sheets = {each.title: each for each in book.worksheets}
    if name is not None:
        if name not in sheets:
            known = ", ".join(repr(each) for each in sheets)
            raise InvalidInput(f"there is no sheet {name!r}: it is one of {known}", field="sheet")
        return sheets[name]
    shown = [each for each in sheets.values() if each.sheet_state == "visible"]
    if not shown:
        raise InvalidInput("the workbook shows no sheet: name one", field="sheet")
    return shown[0]


def header(path: Path, sheet: str | None) -> tuple[tuple[str, ...], int | None]:
    """Return the columns of a sheet, and how many rows it has; raises InvalidInput."""
    with sheet_of(path, sheet) as opened:
        for row in _rows_of(opened, COLUMNS_MAX + 1):
            cells = [text_of(cell.value) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                return header_of(cells), (opened.max_row or 1) - 1 or None
    raise InvalidInput("the file has no header", field="file")


def rows(path: Path, sheet: str | None, width: int) -> Iterator[Raw]:
    """Yield the rows below the header; blank ones are left out and not counted."""
    with sheet_of(path, sheet) as opened:
        number, is_header = 0, True
        # As many cells as the sheet says that it has: a row is filled up to that number.
        stated = min(opened.max_column or COLUMNS_MAX, COLUMNS_MAX)
        for cells in _rows_of(opened, max(width, stated) + 1):
            values = [cell.value for cell in cells]
            if all(value is None or value == "" for value in values):
                continue
            if is_header:
                is_header = False
                continue
            number = counted(number + 1)
            yield typed(
                number,
                [_shown(cell) for cell in cells],
                width,
                [_changed(cell) for cell in cells],
                digits_max=SPREADSHEET_DIGITS,
            )


def _shown(cell: Any) -> Any:
    """Return the value of a cell; as a text where its format shows zeros in front."""
    value = cell.value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        form = cell.number_format
        if form is not None and _ZEROS.fullmatch(form) and len(form) > len(str(value)):
            return str(value).zfill(len(form))
    return value


def _changed(cell: Any) -> str | None:
    """Return what a cell shows that it does not store, or None."""
    value = cell.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or cell.number_format in _PLAIN_FORMATS:
        return None
    if _ZEROS.fullmatch(cell.number_format) and float(value).is_integer():
        return None
    return f"a number that is shown as {cell.number_format[:40]!r}"


def typed(
    number: int,
    values: Sequence[Any],
    width: int,
    changed: Sequence[str | None] = (),
    *,
    digits_max: int | None = None,
) -> Raw:
    """Turn typed cells into texts. Trailing cells may lack: spreadsheets do not keep empty ones."""
    padded = [*values, *[None] * (width - len(values))]
    read = checked(number, [text_of(value) for value in padded], width)
    numbers = [
        f"{each:.0f}"
        for each in padded
        if isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
    ]
    cut = next((each for each in numbers if digits_max and len(each) > digits_max), None)
    if cut is not None:
        text = f"a number has {digits_max} digits in a spreadsheet, {cut} was cut: use text cells"
        return Raw(number, read.cells, BadRow(RowCode.ROUNDED_NUMBER, text))
    kinds = {index: kind for index, value in enumerate(padded) if (kind := _kind(value))}
    kinds |= {index: each for index, each in enumerate(changed) if each}
    return Raw(number, read.cells, read.wrong, kinds)


def _kind(value: Any) -> str | None:
    """Return what a cell holds that is neither a text nor a whole number, or None."""
    match value:
        case bool():
            return "a truth value"
        case datetime() | date() | time() | timedelta():
            return "a date or time"
        case float() if not value.is_integer():
            return "a number with decimals"
    return None


def text_of(value: Any) -> str:
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
