"""``serial-hub connectors``: list what is installed, score it, or begin a new connector."""

import argparse
import sys
from pathlib import Path

from connectors.contract import capabilities
from connectors.registry import ConnectorUnknown, installed
from connectors.template import NameRefused, begin
from connectors.testing.scorecard import as_json, as_markdown, score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command line may ask for; without an action the connectors are listed."""
    actions = parser.add_subparsers(dest="action")
    scoring = actions.add_parser("score", help="play the conformance rows for every connector")
    scoring.add_argument("keys", nargs="*", metavar="KEY", help="only these connectors")
    scoring.add_argument("--format", choices=("markdown", "json"), default="markdown")
    scoring.add_argument("--out", type=Path, help="write the card there instead of printing it")
    scoring.add_argument(
        "--specs",
        type=Path,
        help="the folder of the channels' official contracts, which requests are held against",
    )
    beginning = actions.add_parser("new", help="begin a connector of your own from the template")
    beginning.add_argument("name", help="its key, as in big_shop")
    beginning.add_argument("--out", type=Path, required=True, help="an empty or new folder")


def run(options: argparse.Namespace) -> None:
    """Do what was asked for. Exits with 1 where a row failed, with 2 for an unknown connector."""
    if options.action == "score":
        _score(options)
    elif options.action == "new":
        _begin(options.name, options.out)
    else:
        for key, connector in installed().items():
            sys.stdout.write(f"{key}: {', '.join(capabilities(connector))}\n")


def _begin(name: str, folder: Path) -> None:
    try:
        made = begin(name, folder)
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
    text = as_json(card) if options.format == "json" else as_markdown(card)
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text)
    if not card.passed:
        sys.exit(1)
