"""Reading files of rows as a stream: the same texts, whatever the file's format.

A CSV may have any delimiter and encoding. XLSX and Parquet need the libraries of the extra
`import`. What `export_refused` wrote is read as it is: its marks before formulas are removed.
"""

import hashlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.errors import InvalidInput
from hub.imports import delimited, encodings, workbooks
from hub.imports.rows import BadRow, Raw, RowCode, counted, header_of

__all__ = ["BadRow", "Raw", "RowCode", "Source", "look"]

CHUNK_BYTES = 1024 * 1024
PARQUET_ROWS_PER_BYTE = 4  # serials that differ take some room, however they are packed
PARQUET_ROWS = 2_000  # read at once
OLE = b"\xd0\xcf\x11\xe0"  # Excel's files before 2007, and files with a password
HEAD_BYTES = 256
NO_TABLES = {
    b"\x1f\x8b": "a packed file (gzip)",
    b"7z\xbc\xaf": "a packed file (7z)",
    b"rar!": "a packed file (RAR)",
    b"%pdf": "a PDF",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<table": "a web page",
    b"<?xml": "an XML file",
    b"{\\rtf": "a text document (RTF)",
}
EXPORTED = ("import row", "import code", "import message")
"""The columns by which the file of refused rows says what was wrong."""
ESCAPED = ("=", "@", "+", "-", "'", "\t")
"""How a cell begins that a spreadsheet may execute, or that is marked already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that can be read: its format, its columns, and how it is to be opened."""

    path: Path
    format: str
    digest: str  # SHA-256
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    total: int | None = None  # rows, as far as the file says

    @property
    def is_exported(self) -> bool:
        """Return whether these are the refused rows of an earlier run."""
        return set(EXPORTED) <= set(self.columns)

    def rows(self) -> Iterator[Raw]:
        """Read the rows, one after the other."""
        width = len(self.columns)
        match self.format:
            case "csv":
                found = delimited.rows(self.path, self.encoding, self.delimiter, width)
            case "xlsx":
                found = workbooks.rows(self.path, self.sheet, width)
            case _:
                found = _parquet_rows(self)
        return map(_unmarked, found) if self.is_exported else found


def _unmarked(raw: Raw) -> Raw:
    """Remove the mark that `export_refused` puts before what a spreadsheet would execute."""
    cells = tuple(
        cell[1:] if cell[:1] == "'" and cell[1:2] in ESCAPED else cell for cell in raw.cells
    )
    return replace(raw, cells=cells)


def look(
    path: Path,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Source:
    """Look at a file: what it is, and which columns it has; raises InvalidInput if it is none."""
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    head = start[:4]
    _check_kind(start)
    if head.startswith(b"PK"):
        columns, total = workbooks.header(path, sheet)
        digest, _, _ = _digest(path)
        return Source(
            path=path, format="xlsx", digest=digest, columns=columns, sheet=sheet, total=total
        )
    if head == b"PAR1":
        return _parquet(path, _digest(path)[0])
    if head == OLE:
        raise InvalidInput(
            "this is a workbook of before 2007, or one with a password: save it as XLSX or CSV",
            field="file",
        )
    return _csv(path, delimiter, encoding)


def _check_kind(start: bytes) -> None:
    """Raise InvalidInput for a file that is no table, by how it begins."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for sign, kind in NO_TABLES.items():
        if text.startswith(sign):
            raise InvalidInput(f"this is {kind}: save it as CSV or XLSX", field="file")
    if start.startswith(b"PK") and b"mimetypeapplication/vnd.oasis" in start:
        raise InvalidInput("this is an OpenDocument file: save it as CSV or XLSX", field="file")


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


def _csv(path: Path, delimiter: str | None, encoding: str | None) -> Source:
    digest, plain, lines = _digest(path)
    found = encodings.named(encoding) if encoding else encodings.detect(path, is_utf8=plain)
    cells, delimiter = delimited.header(path, found, delimiter)
    return Source(
        path=path,
        format="csv",
        digest=digest,
        columns=header_of(cells),
        encoding=found,
        delimiter=delimiter,
        total=max(0, lines - 1) or None,
    )


def _parquet_file(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise workbooks.missing("pyarrow", error) from error
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidInput(f"this is no Parquet file: {error}", field="file") from error
    groups = [file.metadata.row_group(each) for each in range(file.metadata.num_row_groups)]
    if any(each.total_byte_size > workbooks.UNPACKED_BYTES_MAX for each in groups):
        raise InvalidInput("a row group of the file is too large unpacked", field="file")
    packed = path.stat().st_size
    workbooks.check_ratio(sum(each.total_byte_size for each in groups), packed)
    if counted(file.metadata.num_rows) > PARQUET_ROWS_PER_BYTE * packed:
        raise InvalidInput(
            f"the file states {file.metadata.num_rows} rows in {packed} bytes: their serials can "
            "not differ",
            field="file",
        )
    return file


def _parquet(path: Path, digest: str) -> Source:
    with _parquet_file(path) as file:
        return Source(
            path=path,
            format="parquet",
            digest=digest,
            columns=header_of([str(name) for name in file.schema_arrow.names]),
            total=int(file.metadata.num_rows),
        )


def _parquet_rows(source: Source) -> Iterator[Raw]:
    width = len(source.columns)
    with _parquet_file(source.path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield workbooks.typed(number, values, width)
