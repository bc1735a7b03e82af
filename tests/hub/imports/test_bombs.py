"""Small files that become large, or never end: refused before they are read."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from hub import imports
from hub.errors import InvalidInput
from hub.imports import workbooks
from hub.imports.reading import look
from world import World

MIB = 1024**2
SHEET = "xl/worksheets/sheet1.xml"
ROW = b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>%s</t></is></c></row>'
HEAD = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = b"</sheetData></worksheet>"


def save(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def workbook(folder: Path, **parts: bytes) -> Path:
    """Write a workbook with other contents of some of its parts, by the end of their names."""
    made = openpyxl.Workbook()
    made.active.append(["serial", "sku"])
    plain, content = io.BytesIO(), io.BytesIO()
    made.save(plain)
    with (
        zipfile.ZipFile(plain) as before,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for name in before.namelist():
            stem = Path(name).stem
            after.writestr(name, parts.get(stem, before.read(name)))
    return save(folder, content.getvalue())


@pytest.mark.parametrize("part", ["sheet1", "styles", "workbook"])
def test_a_workbook_that_unpacks_to_a_thousand_times_its_size_is_refused(
    tmp_path: Path, part: str
) -> None:
    path = workbook(tmp_path, **{part: HEAD + b" " * (120 * MIB) + TAIL})
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(InvalidInput, match="times its size"):
        look(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * MIB


def test_a_workbook_of_which_much_would_be_held_in_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "OTHERS_BYTES_MAX", 1_000)
    with pytest.raises(InvalidInput, match="unpacked"):
        look(workbook(tmp_path))


@pytest.mark.parametrize("number", [2_000_000_000, workbooks.SHEET_ROWS_MAX + 1])
def test_a_row_with_a_number_behind_the_last_is_refused(
    world: World, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "SHEET_ROWS_MAX", 5_000)
    body = ROW % (1, 1, b"serial") + ROW % (number, number, b"S-1")
    path = workbook(tmp_path, sheet1=HEAD + body + TAIL)
    plan = imports.Plan(location="WH", product="CAM")
    run = imports.begin(world.database, world.context(), path, plan)
    with pytest.raises(InvalidInput, match="at most"):
        imports.carry_out(world.database, world.context(), run)
    assert world.value("SELECT state FROM import_run") == "failed"
    with pytest.raises(InvalidInput, match="at most"):
        look(workbook(tmp_path, sheet1=HEAD + ROW % (number, number, b"serial") + TAIL))


def test_a_cell_far_to_the_right_is_no_row_of_the_header(world: World, tmp_path: Path) -> None:
    far = b'<row r="2"><c r="A2" t="inlineStr"><is><t>S-1</t></is></c>'
    far += b'<c r="C2" t="inlineStr"><is><t>x</t></is></c></row>'
    path = workbook(tmp_path, sheet1=HEAD + ROW % (1, 1, b"serial") + far + TAIL)
    plan = imports.Plan(location="WH", product="CAM")
    run = imports.begin(world.database, world.context(), path, plan)
    run = imports.carry_out(world.database, world.context(), run)
    (row,) = world.read(lambda tx: imports.rows_of(tx, run.id, first=10, after=None))
    assert row["code"] == "LONG_LINE"


def test_a_parquet_file_of_one_row_many_times_is_refused(tmp_path: Path) -> None:
    column = pyarrow.array(["S-1"]).take(pyarrow.array([0] * 3_000_000))
    path = tmp_path / "file"
    pyarrow.parquet.write_table(pyarrow.table({"serial": column}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(InvalidInput, match="can not differ"):
        look(path)


def test_a_parquet_file_that_unpacks_to_a_thousand_times_its_size_is_refused(
    tmp_path: Path,
) -> None:
    column = pyarrow.array(["x" * MIB * 80])
    path = tmp_path / "file"
    pyarrow.parquet.write_table(
        pyarrow.table({"serial": column}), path, compression="zstd", use_dictionary=False
    )
    assert path.stat().st_size < 200_000
    with pytest.raises(InvalidInput, match="times its size"):
        look(path)


def test_a_long_file_of_units_is_no_bomb(tmp_path: Path) -> None:
    made = openpyxl.Workbook(write_only=True)
    sheet = made.create_sheet()
    sheet.append(["serial", "sku", "lot", "supplier"])
    for number in range(20_000):
        sheet.append([f"S-{number:08}", "CAM", "L-1", "ACME"])
    content = io.BytesIO()
    made.save(content)
    path = save(tmp_path, content.getvalue())
    unpacked = sum(each.file_size for each in zipfile.ZipFile(path).infolist())
    assert unpacked < 40 * path.stat().st_size
    assert look(path).columns == ("serial", "sku", "lot", "supplier")
