"""Install the real servers of the end-to-end stories, and write down how the last telling went.

python -m tests.e2e.real_servers install
python -m tests.e2e.real_servers report artefacts/e2e.xml docs/end-to-end.md
"""

import platform
import re
import shutil
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BY_NPM = ("vendure", "medusa")
BY_PIP = ("quartet", "nautobot", "moto")
STAMP = ".installed"


def install() -> None:
    """Bring what is locked here; one that can not be brought is told, and its story skips."""
    for name in BY_NPM:
        folder = HERE / name
        lock = folder / "package-lock.json"
        if _is_new(lock, folder / "node_modules" / STAMP):
            _run(name, ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            (folder / "node_modules").mkdir(exist_ok=True)
            shutil.copy(lock, folder / "node_modules" / STAMP)
    for name in BY_PIP:
        wanted, folder = HERE / name / "requirements.txt", ROOT / ".cache/e2e" / name
        if _is_new(wanted, folder / STAMP):
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
            _run(name, [*pip, "--disable-pip-version-check", "-r", str(wanted)], ROOT)
            shutil.copy(wanted, folder / STAMP)


def _is_new(wanted: Path, stamp: Path) -> bool:
    return not stamp.exists() or stamp.read_bytes() != wanted.read_bytes()


def _run(name: str, command: list[str], where: Path) -> None:
    print(f"{name}: {' '.join(command[:4])} …", flush=True)
    try:
        subprocess.run(command, cwd=where, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{name} can not be installed: {error}")


def report(results: Path, page: Path) -> None:
    """Write the page that says what the last telling showed, story by story.

    Rows of servers that this run left out stay, with the day of their run.
    """
    cases = list(ElementTree.parse(results).iter("testcase"))
    earlier, kept = _kept(page.read_text() if page.exists() else "", cases)
    lines = [
        "# End to end, on real servers",
        "",
        "What `make e2e` showed when it was last run, written by it. Each story is told by a hub "
        "with its jobs and its database, to a server that was installed from its registry at the "
        "version that is locked in `tests/e2e`, over real HTTP.",
        "",
        f"- Run: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Machine: {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        f"- Stories: {_count(cases)}",
        *(
            [f"- {len(kept)} more, at servers that this run left out, ran {earlier}"]
            if kept
            else []
        ),
        "",
        "| server | what happened | database of the hub | result | seconds |",
        "|---|---|---|---|---|",
        *(_row(case) for case in cases),
        *kept,
        "",
        "Seconds are those of a whole story, with the server's tables, start, seed and end.",
    ]
    page.write_text("\n".join(lines) + "\n")


def _kept(page: str, cases: list[ElementTree.Element]) -> tuple[str, list[str]]:
    """Return when the page was written, and its rows of servers that no case is about."""
    before = re.search(r" left out, ran (.+)$", page, re.MULTILINE)
    run = before or re.search(r"^- Run: (.+)$", page, re.MULTILINE)
    told = {_row(case).split()[1] for case in cases}
    rows = [
        line
        for line in page.splitlines()
        if line.endswith("|") and line.startswith("| ") and line.split()[1] not in {*told, "server"}
    ]
    return (run[1] if run else "", rows)


def _count(cases: list[ElementTree.Element]) -> str:
    results = [_result(case).split(":")[0] for case in cases]
    counted = [f"{results.count(word)} {word}" for word in ("passed", "failed", "skipped")]
    return ", ".join(counted)


def _row(case: ElementTree.Element) -> str:
    said = {each.get("name"): each.get("value") or "" for each in case.iter("property")}
    name = case.get("name", "")
    module = case.get("classname", "").rpartition(".")[2]
    server = said.get("server", module.removeprefix("test_").removesuffix("_story"))
    story = said.get("story", name.partition("[")[0].removeprefix("test_").replace("_", " "))
    database = name.partition("[")[2].rstrip("]") or "–"
    seconds = float(case.get("time", "0"))
    return f"| {server} | {story} | {database} | {_result(case)} | {seconds:.0f} |"


def _result(case: ElementTree.Element) -> str:
    for word in ("failure", "error", "skipped"):
        if (found := case.find(word)) is not None:
            told = " ".join((found.get("message") or "").split()).replace("|", "\\|")
            return f"{'skipped' if word == 'skipped' else 'failed'}: {told[:160]}"
    return "passed"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            install()
        case ["report", results, page]:
            report(Path(results), Path(page))
        case _:
            sys.exit(__doc__)
