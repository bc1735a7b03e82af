"""``serial-hub connectors``: list the installed connectors, score them, or start a new one."""

import argparse
import sys
from pathlib import Path

from connectors.contract import capabilities
from connectors.registry import ConnectorUnknown, installed
from connectors.template import AUTHS, NameRefused, begin
from connectors.testing.rows_page import rows_page
from connectors.testing.scorecard import as_json, as_markdown, score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; without an action the connectors are listed."""
    actions = parser.add_subparsers(dest="action")
    scoring = actions.add_parser("score", help="run the conformance cases for every connector")
    scoring.add_argument("keys", nargs="*", metavar="KEY", help="only these connectors")
    scoring.add_argument("--format", choices=("markdown", "json"), default="markdown")
    scoring.add_argument("--out", type=Path, help="write the card there instead of printing it")
    scoring.add_argument(
        "--specs",
        type=Path,
        help="folder of the channels' official contracts, to validate requests against",
    )
    referring = actions.add_parser("reference", help="write the reference page of the contract")
    referring.add_argument("--out", type=Path, help="write the page there instead of printing it")
    asking = actions.add_parser("rows", help="write the page of what each row asks")
    asking.add_argument("--out", type=Path, help="write the page there instead of printing it")
    beginning = actions.add_parser("new", help="start a connector of your own from the template")
    beginning.add_argument("name", help="its key, as in big_shop")
    beginning.add_argument(
        "--auth", choices=AUTHS, default=AUTHS[0], help="how the remote knows who calls"
    )
    beginning.add_argument("--out", type=Path, required=True, help="an empty or new folder")


def run(options: argparse.Namespace) -> None:
    """Run the chosen action. Exits with 1 where a case failed, with 2 for an unknown connector."""
    if options.action == "score":
        _score(options)
    elif options.action == "reference":
        # Only this action needs pytest, whose suite is part of the page.
        from connectors.testing.reference import reference

        _write(reference(), options.out)
    elif options.action == "rows":
        _write(rows_page(), options.out)
    elif options.action == "new":
        _begin(options.name, options.out, options.auth)
    else:
        for key, connector in installed().items():
            sys.stdout.write(f"{key}: {', '.join(capabilities(connector))}\n")


def _begin(name: str, folder: Path, auth: str) -> None:
    try:
        made = begin(name, folder, auth)
    except NameRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(2)
    sys.stdout.write("".join(f"{path}\n" for path in made))
    sys.stdout.write(f'next: cd {folder} && pip install -e ".[dev]" && pytest\n')


def _score(options: argparse.Namespace) -> None:
    try:
        card = score(options.keys, options.specs)
    except ConnectorUnknown as unknown:
        sys.stderr.write(f"{unknown}\n")
        sys.exit(2)
    _write(as_json(card) if options.format == "json" else as_markdown(card), options.out)
    if not card.passed:
        sys.exit(1)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
