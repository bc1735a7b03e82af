"""What the stories with real servers showed is written down as it was, whatever it was."""

import json
import re
from pathlib import Path

from e2e.real_servers import BY_NPM, BY_PIP, HERE, report

PAGE = Path(__file__).parents[2] / "docs/end-to-end.md"
RESULTS = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_medusa_story" name="test_it[sqlite]" time="61.4"><properties>
  <property name="server" value="Medusa 2.21.2"/><property name="story" value="sold and healed"/>
</properties></testcase>
<testcase classname="tests.e2e.test_medusa_story" name="test_it[postgresql]" time="60.0">
  <failure message="AssertionError: 3 | 4"/></testcase>
<testcase classname="tests.e2e.test_quartet_story" name="test_a_fake_is_denied" time="0.0">
  <skipped message="quartet is not installed"/></testcase>
</testsuite></testsuites>"""


def test_passed_failed_and_skipped_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "e2e.xml").write_text(RESULTS)
    report(tmp_path / "e2e.xml", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "- Stories: 1 passed, 1 failed, 1 skipped" in page
    assert "| Medusa 2.21.2 | sold and healed | sqlite | passed | 61 |" in page
    assert "| medusa | it | postgresql | failed: AssertionError: 3 \\| 4 | 60 |" in page
    assert "| quartet | a fake is denied | – | skipped: quartet is not installed | 0 |" in page


def test_rows_of_servers_that_were_left_out_stay_with_their_day(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    old = "- Run: 2026-01-02 03:04 UTC\n| server | what |\n|---|---|\n"
    page.write_text(
        f"{old}| moto 5 | kept | sqlite | passed | 1 |\n| Medusa 1 | old | – | passed |"
    )
    (tmp_path / "e2e.xml").write_text(RESULTS)
    report(tmp_path / "e2e.xml", page)
    written = page.read_text()
    assert "| moto 5 | kept | sqlite | passed | 1 |" in written
    assert "- 1 more, at servers that this run left out, ran 2026-01-02 03:04 UTC" in written
    assert "Medusa 1" not in written


def test_every_server_is_locked_at_its_versions() -> None:
    for name in BY_NPM:
        packages = json.loads((HERE / name / "package-lock.json").read_text())["packages"]
        wanted = json.loads((HERE / name / "package.json").read_text())["dependencies"]
        for package, version in wanted.items():
            assert packages[f"node_modules/{package}"]["version"] == version
        assert "omit-lockfile-registry-resolved=true" in (HERE / name / ".npmrc").read_text()
    for name in BY_PIP:
        lines = (HERE / name / "requirements.txt").read_text().splitlines()
        assert lines
        assert [each for each in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", each)] == []


def test_the_page_tells_the_last_run_of_every_server() -> None:
    page = PAGE.read_text()
    for server in ("Vendure 3", "Medusa 2", "QU4RTET", "Nautobot 3", "moto 5"):
        assert re.search(rf"^\| {server}[^|]*\|[^|]+\| sqlite \| passed \|", page, re.MULTILINE)
    assert re.search(r"^- Run: 20\d\d-\d\d-\d\d \d\d:\d\d UTC$", page, re.MULTILINE)
