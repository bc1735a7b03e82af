"""Files as people have them: each row of the file gets its verdict, whatever wrote it."""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import imports
from hub.errors import InvalidInput
from hub.imports import Plan, Run, delimited, workbooks
from hub.imports.reading import look
from hub.storage.sql import Row
from world import World

WH = Plan(location="WH")
Sheet = Any


def save(folder: Path, text: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "file"  # a name that tells nothing
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def book(folder: Path, build: Callable[[Any, Sheet], None]) -> Path:
    made = openpyxl.Workbook()
    build(made, made.active)
    content = io.BytesIO()
    made.save(content)
    return save(folder, content.getvalue())


def read_in(world: World, path: Path, plan: Plan = WH, **more: Any) -> Run:
    run = imports.begin(world.database, world.context(), path, plan, **more)
    return imports.carry_out(world.database, world.context(), run)


def rows(world: World, run: Run) -> list[Row]:
    return world.read(lambda tx: imports.rows_of(tx, run.id, first=200, after=None))


def verdicts(world: World, path: Path, plan: Plan = WH, **more: Any) -> list[tuple[str, str]]:
    run = read_in(world, path, plan, **more)
    found = [(row["serial"], row["code"] or "ok") for row in rows(world, run)]
    assert run.done == len(found) == run.accepted + run.refused
    return found


# --- Quotes, lines and headers ------------------------------------------------------------------


def packed(name: str, text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('S-2,CAM,"5 inch', "UNREADABLE"),
        ('S-2,CAM,"5" inch', "UNREADABLE"),
        ('"S-2,CAM,x', "UNREADABLE"),
        ('S-2,CAM,5" inch', "ok"),
        ('S-2,CAM,"two\nlines"', "ok"),
        ('S-2,CAM,"a, ""b"" c"', "ok"),
    ],
)
@pytest.mark.parametrize("later", ['S-5,CAM,"x"', 'S-5,CAM,7 inch"', '"S-5",CAM,x', "S-5,CAM,x"])
def test_a_quote_that_is_never_closed_costs_its_own_row(
    world: World, tmp_path: Path, line: str, code: str, later: str
) -> None:
    text = f"serial,sku,remark\nS-1,CAM,x\n{line}\nS-3,CAM,x\nS-4,CAM,x\n{later}\nS-6,CAM,x\n"
    found = verdicts(world, save(tmp_path, text))
    assert [each[1] for each in found] == ["ok", code, "ok", "ok", "ok", "ok"]


def test_of_two_rows_with_one_open_quote_each_none_is_swallowed(
    world: World, tmp_path: Path
) -> None:
    text = 'serial,sku,remark\nS-1,CAM,"5 inch\nS-2,CAM,7 inch"\nS-3,CAM,x\n'
    found = verdicts(world, save(tmp_path, text))
    assert [each[1] for each in found] == ["UNREADABLE", "ok", "ok"]


def test_a_first_column_may_have_line_breaks(world: World, tmp_path: Path) -> None:
    text = 'remark,serial,sku\n"two\nlines",S-1,CAM\nx,S-2,CAM\n'
    assert verdicts(world, save(tmp_path, text)) == [("S-1", "ok"), ("S-2", "ok")]


cells = st.text(st.sampled_from('ab,;"\n\r '), max_size=8)


@given(
    written=st.lists(st.tuples(cells, cells), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_file_without_wrong_rows_is_read_whole(
    written: list[tuple[str, str]], end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    body = "".join(f"{a},{b}{end}" for a, b in written)
    path = save(folder, f"serial,sku{end}{body}")
    lines = [each for each in io.StringIO(body, newline="") if each.strip(',;" \r\n')]
    read = list(delimited.rows(path, "utf-8", ",", 2))
    assert [raw.number for raw in read] == list(range(1, len(read) + 1))
    text = "".join("".join(raw.cells) for raw in read)
    # What was read of good rows, and what is kept of bad ones, is all that the file holds.
    kept = [each for each in "".join(lines) if each in "ab"]
    whole = all(raw.wrong is None for raw in read)
    assert not whole or [each for each in text if each in "ab"] == kept


@given(written=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=10))
def test_what_a_csv_writer_quotes_is_read_back_or_refused_aloud(
    written: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "file"
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *written])
    read = list(delimited.rows(path, "utf-8", ",", 3))
    if all(raw.wrong is None for raw in read):
        expected = [tuple(cell.strip() for cell in row) for row in written]
        assert [raw.cells for raw in read] == [row for row in expected if any(row)]


@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_the_delimiter_that_excel_names_is_used(world: World, tmp_path: Path, first: str) -> None:
    path = save(tmp_path, f"{first}serial;sku;lot\nS-1;CAM;a,b\n")
    assert verdicts(world, path) == [("S-1", "ok")]
    assert world.unit("S-1")["lot"] == "a,b"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_headers_have_line_breaks_and_rows_are_blank(
    world: World, tmp_path: Path, delimiter: str
) -> None:
    text = '\nserial,"Expiry\r\n(date)",sku\n,,\nS-1,2027-01-31,CAM\n\n ,,\nS-2,,CAM\n,,\n'
    path = save(tmp_path, text.replace(",", delimiter))
    plan = Plan(location="WH", columns={"Expiry (date)": "expires_on"})
    assert verdicts(world, path, plan) == [("S-1", "ok"), ("S-2", "ok")]
    assert world.unit("S-1")["expires_on"] == "2027-01-31"


def test_a_line_without_end_is_refused_and_the_next_is_read(world: World, tmp_path: Path) -> None:
    long = "x" * (2 * delimited.LINE_CHARS_MAX + 5)
    path = save(tmp_path, f"serial,sku\nS-1,{long}\nS-2,CAM\n")
    assert [code for _, code in verdicts(world, path)] == ["UNREADABLE", "ok"]


# --- Encodings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1252", "5 € Shop – “Söhne”"),
        ("cp1250", "Škoda auto Příbram, Žďár nad Sázavou, Kroměříž a Jindřichův Hradec"),
        ("cp1251", "Склад Москва, серийный номер"),
        ("cp932", "東京倉庫のカメラとレンズ"),
        ("gb18030", "上海仓库的相机和镜头"),
        ("utf-8-sig", "Łódź – 東京"),
        ("utf-16", "Łódź – 東京"),
        ("utf-16-le", "Łódź – 東京"),
    ],
)
def test_a_file_is_read_in_the_encoding_that_it_has(
    world: World, tmp_path: Path, encoding: str, name: str
) -> None:
    text = "serial;sku;supplier\n" + "".join(f"S-{n};CAM;{name}\n" for n in range(5))
    assert read_in(world, save(tmp_path, text, encoding)).accepted == 5
    assert world.unit("S-0")["supplier"] == name


@pytest.mark.parametrize("encoding", ["cp1250", "cp1251", "shift_jis", "gbk", "latin-1"])
def test_a_named_encoding_is_taken(world: World, tmp_path: Path, encoding: str) -> None:
    name = {"cp1250": "Łódź", "cp1251": "Склад", "shift_jis": "東京", "gbk": "上海"}.get(
        encoding, "Söhne"
    )
    path = save(tmp_path, f"serial;sku;supplier\nS-1;CAM;{name}\n", encoding)
    assert read_in(world, path, Plan(location="WH", encoding=encoding)).accepted == 1
    assert world.unit("S-1")["supplier"] == name


@pytest.mark.parametrize("encoding", ["klingon", "base64", "", "utf-8\0"])
def test_an_encoding_is_one_of_texts(tmp_path: Path, encoding: str) -> None:
    path = save(tmp_path, "serial,sku\nS-1,CAM\n")
    if encoding:
        with pytest.raises(InvalidInput, match="no encoding"):
            look(path, encoding=encoding)
    else:
        assert look(path, encoding=encoding).encoding == "utf-8"


def test_a_file_in_two_encodings_is_refused_with_its_lines(world: World, tmp_path: Path) -> None:
    text = "serial,sku,supplier\nS-1,CAM,Söhne\n".encode() + "S-2,CAM,Größe\n".encode("cp1252")
    path = save(tmp_path, text)
    with pytest.raises(InvalidInput, match="line 2 is UTF-8, line 3 is not"):
        read_in(world, path)
    # With a named encoding, what is none of its characters is refused and not changed.
    found = verdicts(world, path, Plan(location="WH", encoding="utf-8"))
    assert found == [("S-1", "ok"), ("S-2", "UNREADABLE")]


# --- Workbooks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "form", "verdict"),
    [
        (123, "00000", ("00123", "ok")),
        (123, "General", ("123", "ok")),
        (123.0, "0", ("123", "ok")),
        (1234567, "#,##0", ("1234567", "NOT_TEXT")),
        (123, '"SN-"000', ("123", "NOT_TEXT")),
        (0.5, "0%", ("0.5", "NOT_TEXT")),
        (True, "General", ("True", "NOT_TEXT")),
        (date(2026, 1, 2), "d-mmm", ("2026-01-02", "NOT_TEXT")),
        ("00123", "General", ("00123", "ok")),
        ('="00123"', "General", ('="00123"', "ok")),
        ("#BEZUG!", "General", ("#BEZUG!", "FORMULA")),
        ("#¿NOMBRE?", "General", ("#¿NOMBRE?", "FORMULA")),
        ("#NV", "General", ("#NV", "FORMULA")),
        ("#####", "General", ("#####", "FORMULA")),
        ("#7", "General", ("#7", "ok")),
        (8939010102358478435, "0", ("8939010102358478848", "ROUNDED_NUMBER")),
    ],
)
def test_a_cell_that_shows_another_text_than_it_stores_is_no_serial(
    world: World, tmp_path: Path, value: Any, form: str, verdict: tuple[str, str]
) -> None:
    def build(_: Any, sheet: Sheet) -> None:
        sheet.append(("serial", "sku", "price"))
        sheet.append((value, "CAM", 1.5))
        sheet["A2"].number_format = form

    found = verdicts(world, book(tmp_path, build))
    if verdict[1] == "ROUNDED_NUMBER":
        assert [code for _, code in found] == ["ROUNDED_NUMBER"]
        return
    assert [code for _, code in found] == [verdict[1]]
    if verdict[1] == "ok":
        (unit,) = world.rows("SELECT serial FROM unit")
        assert unit["serial"] == verdict[0].strip('="')


def test_the_sheet_that_is_shown_is_read_or_the_one_that_is_named(
    world: World, tmp_path: Path
) -> None:
    def build(made: Any, sheet: Sheet) -> None:
        sheet.append(("serial", "sku"))
        sheet.append(("HIDDEN", "CAM"))
        sheet.sheet_state = "hidden"
        second = made.create_sheet("Stock")
        for row in ((), ("serial", "sku"), (), ("S-1", "CAM")):
            second.append(row)
        third = made.create_sheet("Old")
        third.append(("serial", "sku"))
        third.append(("OLD", "CAM"))

    path = book(tmp_path, build)
    assert verdicts(world, path) == [("S-1", "ok")]
    assert verdicts(world, path, Plan(location="WH", sheet="Old")) == [("OLD", "ok")]
    with pytest.raises(InvalidInput, match="there is no sheet 'None'"):
        look(path, sheet="None")


def test_what_is_too_large_or_no_workbook_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = book(tmp_path, lambda _, sheet: sheet.append(("serial", "sku")))
    monkeypatch.setattr(workbooks, "UNPACKED_BYTES_MAX", 1_000)
    with pytest.raises(InvalidInput, match="unpacked"):
        look(path)
    for content in (b"PK\x03\x04 nonsense", b"\xd0\xcf\x11\xe0" + b"\0" * 600):
        with pytest.raises(InvalidInput):
            look(save(tmp_path, content))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    with pytest.raises(InvalidInput, match="no workbook"):
        look(save(tmp_path, packed.getvalue()))


def test_a_row_may_lack_the_cells_of_last_columns_without_a_name(
    world: World, tmp_path: Path
) -> None:
    file = save(tmp_path, "serial,sku,,\nS-1,CAM\nS-2,CAM,\nS-3,CAM,,x\nS-4\n")
    assert verdicts(world, file) == [
        ("S-1", "ok"), ("S-2", "ok"), ("S-3", "ok"), ("S-4", "SHORT_LINE"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gzip.compress(b"serial,sku\nS-1,CAM\n", mtime=0), "gzip"),
        (b"%PDF-1.7 serial,sku", "PDF"),
        (b"\n<html><table><tr><td>serial</td></tr></table></html>", "web page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>", "XML"),
        (packed("stock.csv", "serial,sku"), "ZIP"),
        (packed("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "OpenDocument"),
    ],
)
def test_a_file_that_is_no_table_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    with pytest.raises(InvalidInput, match=kind) as refused:
        look(save(tmp_path, content))
    assert refused.value.details["field"] == "file"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Čeněk Dvořák a syn, Žižkov"),
        ("cp1250", "Łódź – Kraków"),
        ("cp1250", "Müller Brno, Dvořák"),
        ("iso8859_2", "Čeněk Dvořák, Žižkov"),
        ("cp1252", "Søren Ærø & Müller"),
        ("cp1252", "Città è perché"),
        ("cp1252", "Škoda, 5 € – ½ Zoll"),
        ("cp1250", "Győri Kereskedő Kft."),
        ("cp1250", "Tűzoltó utca, Szőke"),
        ("cp1250", "Erdő és Társa, Nyíregyháza"),
        ("cp1250", "Műszaki bolt, Gyűrűs"),
        ("cp1252", "Ações e Camões"),
        ("cp1252", "Põe à venda"),
        ("cp1252", "Goût, août"),
        ("cp1252", "Jõgi ja Mäe"),
        ("cp1251", "Завод «Ромашка»"),
        ("shift_jis", "株式会社テスト"),
        ("gb18030", "深圳市测试电子"),
    ],
)
def test_few_letters_of_a_language_show_the_encoding(
    tmp_path: Path, encoding: str, text: str
) -> None:
    lines = "".join(f'S-{number},CAM,"{text}"\n' for number in range(3))
    source = look(save(tmp_path, f"serial,sku,supplier\n{lines}", encoding))
    assert {row.cells[2] for row in source.rows()} == {text}


@pytest.mark.parametrize(("text", "encoding"), [("Võru", "cp1252"), ("Tűr", "cp1250")])
def test_letters_of_two_encodings_are_not_guessed(tmp_path: Path, text: str, encoding: str) -> None:
    file = save(tmp_path, f"serial,sku,supplier\nS-1,CAM,{text}\n", encoding)
    with pytest.raises(InvalidInput, match="name the encoding") as refused:
        look(file)
    assert refused.value.details["field"] == "encoding"
    for named in ("cp1250", "cp1252"):
        (row,) = look(file, encoding=named).rows()
        assert row.cells[2] == text.encode(encoding).decode(named)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_header_in_quotes_with_a_line_break_is_read_with_any_delimiter(
    world: World, tmp_path: Path, delimiter: str
) -> None:
    header = delimiter.join(('"serial\nnumber"', '"sku"', '"remark; a, b|c"'))
    row = delimiter.join(("S-1", "CAM", '"x"'))
    assert verdicts(world, save(tmp_path, f"{header}\n{row}\n")) == [("S-1", "ok")]


@pytest.mark.parametrize(
    ("serial", "code"),
    [
        ("#YOK", "FORMULA"), ("#NENÍ_K_DISPOZICI", "FORMULA"), ("#GETTING_DATA", "FORMULA"),
        ("#N/D", "FORMULA"), ("Err:502", "FORMULA"), ("#0042", "ok"), ("#A-17", "ok"),
        ("TRUE", "NOT_TEXT"), ("Falsch", "NOT_TEXT"), ("VRAI", "NOT_TEXT"), ("ИСТИНА", "NOT_TEXT"),
        ("TRUE-1", "ok"), ("ERR-502", "ok"),
    ],
)  # fmt: skip
def test_errors_and_truth_values_of_a_spreadsheet_are_no_serials(
    world: World, tmp_path: Path, serial: str, code: str
) -> None:
    found = verdicts(world, save(tmp_path, f"serial,sku\n{serial},CAM\nS-2,CAM\n"))
    assert found == [(serial, code), ("S-2", "ok")]


# --- Values -------------------------------------------------------------------------------------


def test_one_product_for_the_whole_file_unless_a_row_says_so(world: World, tmp_path: Path) -> None:
    plan = Plan(location="WH", product="LENS")
    assert verdicts(world, save(tmp_path, "serial\nS-1\nS-2\n"), plan) == [
        ("S-1", "ok"),
        ("S-2", "ok"),
    ]
    assert verdicts(world, save(tmp_path, "serial,sku\nS-3,CAM\nS-4,\n"), plan)[0][1] == "ok"
    assert [world.unit(f"S-{n}")["sku"] for n in (1, 2, 3, 4)] == ["LENS", "LENS", "CAM", "LENS"]


@pytest.mark.parametrize(
    ("sku", "gtin", "code"),
    [
        ("CAM", "4006381333931", "ok"),
        ("CAM", "04006381333931", "ok"),
        ("CAM", "", "ok"),
        ("", "4006381333931", "ok"),
        ("LENS", "5012345678900", "ok"),  # no GTIN is known of it
        ("LENS", "4006381333931", "PRODUCT_CONFLICT"),
        ("CAM", "5012345678900", "PRODUCT_CONFLICT"),
    ],
)
def test_a_sku_and_a_gtin_are_held_against_each_other(
    world: World, tmp_path: Path, sku: str, gtin: str, code: str
) -> None:
    path = save(tmp_path, f"serial,sku,EAN\nS-1,{sku},{gtin}\n")
    assert [each for _, each in verdicts(world, path)] == [code]


@pytest.mark.parametrize(
    "nothing", ["N/A", "n/a", "-", "None", "NULL", "unknown", "0", "000000", "?"]
)
def test_what_says_that_nothing_is_known_is_no_value(
    world: World, tmp_path: Path, nothing: str
) -> None:
    path = save(tmp_path, f"serial,sku,imei\nS-1,CAM,{nothing}\nS-2,CAM,{nothing}\n")
    assert verdicts(world, path) == [("S-1", "ok"), ("S-2", "ok")]
    assert world.value("SELECT COUNT(*) FROM identifier") == 0
    found = verdicts(world, save(tmp_path, f"serial,sku\n{nothing},CAM\n"))
    assert [code for _, code in found] == ["ok" if nothing.isdigit() else "MISSING_VALUE"]


@pytest.mark.parametrize(
    "serial", ["-B7", "+B7", "@B7", "=B7", "'B7", "'=B7", "''B7", "B7", "-7", "'-7", '="7"']
)
def test_refused_rows_go_round_as_often_as_needed(
    world: World, tmp_path: Path, serial: str
) -> None:
    path = tmp_path / "0.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("serial", "sku"), (serial, "NOPE")])
    for turn in range(1, 4):
        run = read_in(world, path)
        target = tmp_path / f"{turn}.csv"
        assert imports.export_refused(world.database, run.id, run.source, target) == 1
        assert look(target).columns == (
            "serial",
            "sku",
            "import row",
            "import code",
            "import message",
        )
        path = target
    path.write_bytes(path.read_bytes().replace(b"NOPE", b"CAM"))
    found = verdicts(world, path)
    if serial in {"=B7", "@B7"}:
        assert found == [(serial, "FORMULA")]
    else:
        assert [code for _, code in found] == ["ok"]
        assert world.rows("SELECT serial FROM unit") == [{"serial": serial.strip('="')}]


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "1970-01-01", "2026-11-31"])
def test_a_day_that_nobody_means_is_no_receipt(world: World, tmp_path: Path, day: str) -> None:
    path = save(tmp_path, f"serial,sku,received on\nS-1,CAM,{day}\n")
    assert verdicts(world, path) == [("S-1", "BAD_DATE")]
