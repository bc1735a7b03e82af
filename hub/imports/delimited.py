"""Delimited text files (CSV) as people have them, read line by line.

Every line of the file is part of one row, or is blank. A quote that is never closed therefore costs
its own row, which is refused, and not the rows behind it: a row goes over several lines only if its
quotes close, and no line inside it looks like a row of its own.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from hub.errors import InvalidInput
from hub.imports.rows import BadRow, Raw, RowCode, checked, counted

DELIMITERS = ",;\t|"
LINES_MAX = 200  # of one row
LINE_CHARS_MAX = 1024 * 1024
HEADER_CHARS_MAX = 256 * 1024
SEPARATOR = "sep="  # a first line by which Excel names the delimiter

csv.field_size_limit(LINE_CHARS_MAX * LINES_MAX)


class Lines:
    """The lines of a file, which can be put back; one that is too long comes cut, once."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self._again: deque[str] = deque()

    def next(self) -> str | None:
        """Return the next line with its end, or None."""
        if self._again:
            return self._again.popleft()
        line = self._file.readline(LINE_CHARS_MAX)
        if len(line) == LINE_CHARS_MAX and line[-1] not in "\r\n":
            while (rest := self._file.readline(LINE_CHARS_MAX)) and rest[-1] not in "\r\n":
                pass
        return line or None

    def again(self, lines: list[str]) -> None:
        """Put lines back, to be read next."""
        self._again.extendleft(reversed(lines))


def open_text(path: Path, encoding: str) -> io.TextIOBase:
    """Open a file for reading; what is none of the encoding's characters becomes U+FFFD."""
    return path.open(encoding=encoding, newline="", errors="replace")


def header(path: Path, encoding: str, delimiter: str | None) -> tuple[list[str], str]:
    """Return the cells of the header, and the delimiter; raises InvalidInput."""
    if delimiter is not None and len(delimiter) != 1:
        raise InvalidInput("a delimiter is one character", field="delimiter")
    try:
        with open_text(path, encoding) as file:
            text = file.read(HEADER_CHARS_MAX)
    except UnicodeError as error:
        raise InvalidInput(f"the file can not be read: {error}", field="file") from error
    named, text = _named_delimiter(text)
    candidates = [delimiter or named] if delimiter or named else list(DELIMITERS)
    read: dict[str, list[str]] = {}
    wrong: InvalidInput | None = None
    for each in map(str, candidates):
        try:
            read[each] = _first_row(text, each)
        except InvalidInput as error:  # by this delimiter only, where another one reads it
            wrong = wrong or error
    if not read and wrong is not None:
        raise wrong
    best = max(read, key=lambda each: len(read[each]))
    return read[best], best


def _named_delimiter(text: str) -> tuple[str | None, str]:
    """Return the delimiter that a first line ``sep=;`` names, and the text without that line."""
    first = text.splitlines()[0] if text else ""
    shown = first.strip('"')
    if shown[:4].lower() == SEPARATOR and len(shown) == len(SEPARATOR) + 1:
        return shown[-1], text[len(first) :].removeprefix("\r").removeprefix("\n")
    return None, text


def _first_row(text: str, delimiter: str) -> list[str]:
    lines = Lines(io.StringIO(text, newline=""))
    while (line := lines.next()) is not None:
        cells = _row(line, lines, delimiter, None)
        if isinstance(cells, BadRow):
            raise InvalidInput(f"the header can not be read: {cells}", field="file")
        if any(cell.strip() for cell in cells):
            return cells
    return []


def rows(path: Path, encoding: str, delimiter: str, width: int) -> Iterator[Raw]:
    """Yield the rows behind the header; blank ones are left out and not counted."""
    with open_text(path, encoding) as file:
        lines = Lines(file)
        is_header, number, named = True, 0, width
        first = lines.next() or ""
        if _named_delimiter(first)[0] is None:
            lines.again([first] if first else [])
        while (line := lines.next()) is not None:
            cells = _row(line, lines, delimiter, None if is_header else width)
            if isinstance(cells, BadRow):
                number = counted(number + 1)
                yield Raw(number, _literally(line, delimiter, width), cells)
                continue
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if is_header:
                is_header, named = False, _named(cells, width)
                continue
            number = counted(number + 1)
            if named <= len(cells) < width:
                cells += [""] * (width - len(cells))
            yield checked(number, cells, width)


def _named(header: list[str], width: int) -> int:
    """Return how many cells a row has to have: the last columns may have no name."""
    return max((place for place, name in enumerate(header[:width], 1) if name), default=width)


def _row(line: str, lines: Lines, delimiter: str, width: int | None) -> list[str] | BadRow:
    """Return the cells of the row that begins with a line; what it does not need is put back."""
    if len(line) >= LINE_CHARS_MAX:
        return BadRow(RowCode.UNREADABLE, f"a line has at most {LINE_CHARS_MAX} characters")
    if '"' not in line:
        return next(csv.reader([line], delimiter=delimiter))
    taken = [line]
    while True:
        try:
            return next(csv.reader(taken, delimiter=delimiter, strict=True))
        except csv.Error as error:
            text = f"no row: {error}"
            further = lines.next() if "unexpected end" in str(error) else None
        if further is None or len(taken) >= LINES_MAX or _is_row(further, delimiter, width):
            lines.again([*taken[1:], *([further] if further is not None else [])])
            return BadRow(RowCode.UNREADABLE, f"{text}; is a quote never closed?")
        taken.append(further)


def _is_row(line: str, delimiter: str, width: int | None) -> bool:
    """Return whether a line inside quotes has all cells of a row, so that no row is swallowed."""
    if width is None or not line.strip():
        return False
    before, _, _ = line.partition('"')
    if line.count('"') % 2:  # it closes the quote, maybe at the end of a first cell
        return before.count(delimiter) >= width - 1
    return len(line.split(delimiter)) == width


def _literally(line: str, delimiter: str, width: int) -> tuple[str, ...]:
    """Return the cells of a line that is no row, with its quotes, for whoever mends it."""
    cells = line[: 10 * LINES_MAX].rstrip("\r\n").replace("\x00", "").split(delimiter)
    return tuple(cell.strip() for cell in cells[:width])
