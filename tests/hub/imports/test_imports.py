"""Imports: files of units, a verdict for each row, and no row twice whatever happens."""

import argparse
import csv
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from hub import imports
from hub.catalogue import ProductCard, Tracking, register_product
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.imports import Plan, Run, command, running
from hub.inbound import receiving, unserialized_stock
from hub.inbound.receiving import Arrival
from hub.inbound.unserialized_stock import UnserializedQuantity
from hub.ledger import hash_chain
from hub.ledger.arrivals import RecordOrigin
from hub.proof import conservation
from hub.storage.sql import Row, Transaction
from serial_hub import cli
from world import NOON, World

WH = Plan(location="WH")


def save(folder: Path, text: str, name: str = "stock.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read_in(world: World, path: Path, plan: Plan = WH, **more: Any) -> Run:
    batch_rows = more.pop("batch_rows", 2)
    context = world.context()
    run = imports.begin(world.database, context, path, plan, **more)
    return imports.carry_out(world.database, context, run, batch_rows=batch_rows)


def rows(world: World, run: Run, **more: Any) -> list[Row]:
    return world.read(lambda tx: imports.rows_of(tx, run.id, first=200, after=None, **more))


def codes(world: World, run: Run) -> list[str | None]:
    return [row["code"] for row in rows(world, run)]


def whole(world: World) -> None:
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()


BAD = """serial,sku,lot,produced_on,received_on,condition,location,imei,field:colour
SN-1,CAM,L1,2026-01-31,2026-10-01,new,,490154203237518,red
SN-2,4006381333931,,31.01.2026,,Open Box,WH-A1,,
SN-3,CAM
SN-4,CAM,,,,,,,,extra
SN-5,CAM,,31/01/2026,,,,,
SN-6,CAM,,2026-02-30,,,,,
SN-7,CAM,,,2027-01-01,,,,
=1+1,CAM,,,,,,,
#REF!,CAM,,,,,,,
SN-8,NOTHING,,,,,,,
,CAM,,,,,,,
SN-9,CAM,,,,broken,,,
SN-10,CAM,,,,,NOWHERE,,
SN-11,CAM,,,,,CUSTOMER,,
sn 1,CAM,,,,,,,
SN-12,CAM,,,,,,490154203237518,
SN-13,CAM,,,,,,4.90154E+14,
KNOWN-1,CAM,,,,,,,
4006381333931,CAM,,,,,,,
SN-14,CAM,,,,,,,
SN-14,CAM,,,,,,,
SN-15,LENS,,,,,,,
"""
VERDICTS = [
    None,
    None,
    "SHORT_LINE",
    "LONG_LINE",
    "BAD_DATE",
    "BAD_DATE",
    "BAD_DATE",
    "FORMULA",
    "FORMULA",
    "UNKNOWN_PRODUCT",
    "MISSING_VALUE",
    "BAD_CONDITION",
    "UNKNOWN_LOCATION",
    "UNKNOWN_LOCATION",
    "DUPLICATE_IN_FILE",
    "DUPLICATE_IN_FILE",
    "ROUNDED_NUMBER",
    "DUPLICATE_SERIAL",
    "INVALID_BARCODE",
    None,
    "DUPLICATE_IN_FILE",
    None,
]


@pytest.mark.req("R208")
@pytest.mark.parametrize("batch_rows", [1, 4, 1_000])
def test_each_row_of_a_file_gets_its_verdict(world: World, tmp_path: Path, batch_rows: int) -> None:
    world.receive("KNOWN-1")
    path = save(tmp_path, BAD)
    tried = read_in(world, path, dry_run=True, batch_rows=batch_rows)
    assert codes(world, tried) == VERDICTS
    assert world.value("SELECT COUNT(*) FROM unit") == 1  # a dry run changes nothing
    run = read_in(world, path, batch_rows=batch_rows)
    assert codes(world, run) == VERDICTS
    assert (run.done, run.accepted, run.refused) == (22, 4, 18)
    refused = rows(world, run, refused_only=True)
    assert len(refused) == 18
    assert all(row["message"] and row["unit_id"] is None for row in refused)
    only = rows(world, run, code="BAD_DATE")
    assert [row["number"] for row in only] == [5, 6, 7]
    assert world.value("SELECT COUNT(*) FROM unit") == 5
    whole(world)


@pytest.mark.req("R208")
def test_what_a_row_tells_is_kept(world: World, tmp_path: Path) -> None:
    run = read_in(world, save(tmp_path, BAD))
    unit = world.unit("490154203237518")
    assert (unit["serial"], unit["status"], unit["location_code"]) == ("SN-1", "in_stock", "WH")
    assert (unit["lot"], unit["produced_on"], unit["condition"]) == ("L1", "2026-01-31", "new")
    assert unit["received_at"] == micros(NOON.replace(month=10, day=1))
    (field,) = world.rows("SELECT name, value FROM unit_field")
    assert field == {"name": "colour", "value": "red"}
    other = world.unit("SN-2")
    assert (other["location_code"], other["condition"]) == ("WH-A1", "open_box")
    assert other["produced_on"] == "2026-01-31"
    event = world.history("SN-1")[0]
    assert (event["captured_by"], event["document_ref"]) == ("import", run.id)


def sheet(path: Path, *lines: list[Any]) -> Path:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    book.save(path)
    return path


@pytest.mark.req("R208")
def test_a_workbook_is_read_like_a_csv(world: World, tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "stock.xlsx",
        ["Serial No.", "GTIN", "Expiry date", "IMEI"],
        ["SN-1", 4006381333931, date(2027, 1, 31), 490154203237518],
        [1234.0, 4006381333931],
        ["=A1", 4006381333931],
        ["SN-3", 4006381333931, None, 4901542032375180000],
        [None, None],
        ["SN-4", 4006381333931, "soon"],
    )
    run = read_in(world, path)
    assert codes(world, run) == [None, None, "FORMULA", "ROUNDED_NUMBER", "BAD_DATE"]
    assert world.unit("490154203237518")["expires_on"] == "2027-01-31"
    assert world.unit("1234")["sku"] == "CAM"
    with pytest.raises(InvalidInput):
        read_in(world, save(tmp_path, "PK no workbook", "broken.xlsx"))


@pytest.mark.req("R208")
def test_parquet_is_read_like_a_csv(world: World, tmp_path: Path) -> None:
    path = tmp_path / "stock.parquet"
    table = pyarrow.table(
        {
            "serial": ["SN-1", "SN-2", None, "SN-1"],
            "sku": ["CAM", "NOTHING", "CAM", "CAM"],
            "expires_on": [date(2027, 1, 31), None, None, None],
        }
    )
    pyarrow.parquet.write_table(table, path)
    run = read_in(world, path)
    assert codes(world, run) == [None, "UNKNOWN_PRODUCT", "MISSING_VALUE", "DUPLICATE_IN_FILE"]
    assert world.unit("SN-1")["expires_on"] == "2027-01-31"
    assert (run.source.format, run.source.total) == ("parquet", 4)
    with pytest.raises(InvalidInput):
        read_in(world, save(tmp_path, "PAR1 no parquet", "broken.parquet"))


def test_a_library_that_lacks_is_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library, start in (("openpyxl", "PK"), ("pyarrow.parquet", "PAR1")):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(InvalidInput, match=r"serial-hub\[import\]"):
            read_in(world, save(tmp_path, start, "stock"))


@pytest.mark.req("R208")
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("serial;sku;lot\nSN-1;CAM;Größe\n", "utf-8-sig"),
        ("serial;sku;lot\nSN-1;CAM;Größe\n", "latin-1"),
        ("serial\tsku\tlot\r\nSN-1\tCAM\tGröße\r\n", "utf-16"),
        ('serial|sku|lot\n\n"SN-1"|CAM|Größe', "utf-8"),
    ],
)
def test_a_csv_has_any_delimiter_and_encoding(
    world: World, tmp_path: Path, text: str, encoding: str
) -> None:
    assert codes(world, read_in(world, save(tmp_path, text, encoding=encoding))) == [None]
    assert world.unit("SN-1")["lot"] == "Größe"


def test_columns_are_mapped_and_left_out(world: World, tmp_path: Path) -> None:
    path = save(tmp_path, "Gerät~Artikel~SN~Farbe\nSN-1~CAM~77~red\n")
    columns = {"Gerät": "serial", "Artikel": "product", "SN": "identifier:sn2", "Farbe": "-"}
    run = read_in(world, path, Plan(location="WH", columns=columns, delimiter="~"))
    assert (codes(world, run), run.columns.ignored) == ([None], 1)
    assert world.unit("77")["serial"] == "SN-1"


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("", WH),
        ("\n", WH),
        ("sku\nCAM\n", WH),  # no column holds serials
        ("serial,serial\nSN-1,SN-2\n", WH),
        ("serial,sn\nSN-1,SN-2\n", WH),
        ("serial\nSN-1\n", Plan()),  # no place
        ("serial\nSN-1\n", replace(WH, columns={"nothing": "lot"})),
        ("serial,x\nSN-1,1\n", replace(WH, columns={"x": "weight"})),
        ("serial,x\nSN-1,1\n", replace(WH, columns={"x": "field:1x"})),
        ("serial\nSN-1\n", replace(WH, delimiter=";;")),
        (",".join(f"c{number}" for number in range(600)), WH),
    ],
)
def test_a_file_that_can_not_be_understood_is_refused_as_a_whole(
    world: World, tmp_path: Path, text: str, plan: Plan
) -> None:
    with pytest.raises(InvalidInput):
        read_in(world, save(tmp_path, text), plan)
    assert world.value("SELECT COUNT(*) FROM import_run") == 0


def test_a_place_that_is_not_there_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(UnknownReference):
        read_in(world, save(tmp_path, "serial\nSN-1\n"), Plan(location="NOWHERE"))


def test_a_cell_without_end_costs_its_row_only(world: World, tmp_path: Path) -> None:
    long, huge = "x" * 20_000, "y" * 200_000
    text = f"serial,sku,lot\nSN-1,CAM,{long}\nSN-2,CAM,{huge}\nSN-3,CAM,\x00\nSN-4,CAM,ok\n"
    run = read_in(world, save(tmp_path, text))
    assert codes(world, run) == ["UNREADABLE", "UNREADABLE", "UNREADABLE", None]


@pytest.mark.req("R208")
def test_a_file_is_read_in_once(world: World, tmp_path: Path) -> None:
    path = save(tmp_path, BAD)
    first = read_in(world, path)
    again = read_in(world, path)
    assert (again.id, again.accepted) == (first.id, first.accepted)
    assert world.value("SELECT COUNT(*) FROM event") == 2 * first.accepted
    # A dry run tells anew what would become of it now.
    dry = read_in(world, path, dry_run=True)
    assert dry.accepted == 0
    assert read_in(world, path, dry_run=True).id == dry.id
    assert len(rows(world, dry)) == 22


class Killed(Exception):
    """The process ended here."""


@pytest.mark.req("R208")
def test_a_run_that_was_broken_off_goes_on_after_its_last_whole_batch(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, BAD)
    written = running._written
    batches = iter(range(3))

    def dies(*given: Any) -> Any:
        outcome = written(*given)
        if next(batches, None) is None:
            raise Killed("in the middle of a batch")
        return outcome

    monkeypatch.setattr(running, "_written", dies)
    with pytest.raises(Killed):
        read_in(world, path, batch_rows=5)
    (row,) = world.rows("SELECT * FROM import_run")
    assert (row["state"], row["done"]) == ("failed", 15)
    assert "in the middle" in row["error"]
    assert world.value("SELECT COUNT(*) FROM import_row") == 15
    monkeypatch.setattr(running, "_written", written)
    with pytest.raises(StepNotAllowed):
        read_in(world, path)
    run = read_in(world, path, resume=True)
    # Names of the rows before the end are still known.
    assert codes(world, run) == [None if code == "DUPLICATE_SERIAL" else code for code in VERDICTS]
    assert (run.state, run.done, run.refused) == ("finished", 22, 17)
    whole(world)


def test_two_who_read_one_file_never_read_a_row_twice(world: World, tmp_path: Path) -> None:
    path = save(tmp_path, BAD)
    context = world.context()
    mine = imports.begin(world.database, context, path, WH)
    theirs = imports.begin(world.database, context, path, WH, resume=True)
    imports.carry_out(world.database, context, mine)
    with pytest.raises(StepNotAllowed):
        imports.carry_out(world.database, context, theirs)
    (row,) = world.rows("SELECT * FROM import_run")
    assert (row["state"], row["done"], row["error"]) == ("finished", 22, None)


@pytest.mark.req("R208")
def test_refused_rows_are_written_to_be_mended_and_imported(world: World, tmp_path: Path) -> None:
    path = save(tmp_path, "serial,sku,lot\nSN-1,CAM,\nSN-2,NOTHING,a\n=cmd(),CAM,\n")
    run = read_in(world, path)
    target = tmp_path / "refused.csv"
    assert imports.export_refused(world.database, run.id, run.source, target) == 2
    lines = list(csv.reader(target.read_text("utf-8-sig").splitlines()))
    assert lines[0] == ["serial", "sku", "lot", "import row", "import code", "import message"]
    assert lines[1][:5] == ["SN-2", "NOTHING", "a", "2", "UNKNOWN_PRODUCT"]
    assert lines[2][0] == "'=cmd()"  # a spreadsheet shows it, and does not run it
    mended = save(tmp_path, target.read_text("utf-8-sig").replace("NOTHING", "LENS"), "m.csv")
    assert codes(world, read_in(world, mended))[0] is None
    assert world.unit("SN-2")["sku"] == "LENS"


@pytest.mark.req("R207", "R208")
def test_old_stock_is_imported_with_its_gap(world: World, tmp_path: Path) -> None:
    card = ProductCard(sku="OLD", name="Old", manufacturer="ACME", tracking=Tracking.NONE)
    world.write(lambda tx: register_product(tx, world.context(), card))
    context = world.context(reason="phase 1")
    stock = [UnserializedQuantity(sku="OLD", location="WH", quantity=2)]
    world.write(lambda tx: unserialized_stock.start(tx, context, "OLD", stock))
    text = (
        "serial,sku,location\nSN-1,OLD,WH\nSN-2,OLD,SHOP\nSN-3,OLD,WH-A1\nSN-4,OLD,WH\nC,CAM,WH\n"
    )
    plan = Plan(unserialized_stock=True)
    expected = [None, "NOT_ENOUGH_STOCK", None, "NOT_ENOUGH_STOCK", None]
    assert codes(world, read_in(world, save(tmp_path, text), plan, dry_run=True)) == expected
    assert codes(world, read_in(world, save(tmp_path, text), plan)) == expected
    assert world.value("SELECT quantity FROM unserialized_stock") == 0
    assert world.unit("SN-1")["origin"] == RecordOrigin.UNSERIALIZED_STOCK
    assert "2026-11-02 is unknown" in world.history("SN-1")[0]["details"]
    whole(world)


def test_units_that_were_expected_go_on_with_their_records(world: World, tmp_path: Path) -> None:
    def announce(tx: Transaction) -> None:
        arrivals = [Arrival(serial="SN-1", product="CAM")]
        point = RecordOrigin.MANUFACTURING
        receiving.commission(Work(tx, world.context(), new_id()), arrivals, None, point=point)

    world.write(announce)
    world.pass_time(days=1)
    run = read_in(world, save(tmp_path, "serial,sku\nSN-1,CAM\nSN-2,CAM\n"))
    assert codes(world, run) == [None, None]
    assert [event["action"] for event in world.history("SN-1")] == [
        "commission",
        "receive",
        "put_away",
    ]
    whole(world)


def test_a_product_that_must_be_scanned_is_not_imported_as_received(
    world: World, tmp_path: Path
) -> None:
    card = ProductCard(sku="X", name="X", manufacturer="ACME", capture_points=("receive",))
    world.write(lambda tx: register_product(tx, world.context(), card))
    path = save(tmp_path, "serial,sku\nSN-1,X\n")
    assert codes(world, read_in(world, path)) == ["CAPTURE_REQUIRED"]
    # What was there before is not received now.
    assert codes(world, read_in(world, path, replace(WH, unserialized_stock=True))) == [None]


@pytest.mark.req("R208")
def test_the_command_reads_a_file_in(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(command, "now", lambda: NOON + timedelta(days=30))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    path, refused = save(tmp_path, BAD.replace("sku", "thing")), tmp_path / "refused.csv"
    given = [str(path), "--location", "WH", "--map", "thing=product", "--batch", "3"]
    command.run(world.database, parser.parse_args([*given, "--dry-run"]))
    assert "nothing was changed" in capsys.readouterr().out
    command.run(world.database, parser.parse_args([*given, "--refused", str(refused)]))
    told = capsys.readouterr().out
    assert "22 rows: 5 accepted, 17 refused" in told
    assert "BAD_DATE: 3, first in row 5" in told
    assert "17 refused rows are in" in told
    assert len(refused.read_text("utf-8-sig").splitlines()) == 18
    command.run(world.database, parser.parse_args(given))
    assert "read in before" in capsys.readouterr().out
    for wrong in ([str(tmp_path / "none.csv")], [str(path), "--map", "thing"]):
        with pytest.raises(InvalidInput):
            command.run(world.database, parser.parse_args(wrong))


def test_the_command_line_knows_imports() -> None:
    options = cli._parser().parse_args(["import", "stock.csv", "--location", "WH", "--resume"])
    assert (options.command, options.resume, options.batch) == ("import", True, 5_000)
