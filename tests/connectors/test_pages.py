"""Every connector has a page that tells its settings and its capabilities as they are."""

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors import capabilities
from connectors.registry import installed

PAGES = Path(__file__).parents[2] / "docs/connectors"
KEYS = sorted(installed())
SECTIONS = (
    "What it can",
    "Settings",
    "Rights that the credential needs",
    "Serials, there and back",
    "Pace",
    "Webhooks",
    "What it cannot do",
)


def sections(key: str) -> dict[str, str]:
    text = (PAGES / f"{key}.md").read_text()
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_column(table: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z_]+)` \|", table, flags=re.MULTILINE))


@pytest.mark.parametrize("key", KEYS)
def test_it_tells_what_the_connector_can_and_nothing_else(key: str) -> None:
    reported = sections(key)
    assert tuple(reported) == SECTIONS
    assert all(len(each.strip()) >= 15 for each in reported.values())
    assert first_column(reported["What it can"]) == set(capabilities(installed()[key]))
    most = getattr(installed()[key], "levels_max", None)
    if most is not None:
        assert re.search(rf"\b{most}\b", reported["What it can"]), (
            f"it takes {most} levels in a call"
        )


@pytest.mark.parametrize("key", KEYS)
def test_it_names_every_setting_and_its_example_is_one_that_the_connector_takes(key: str) -> None:
    reported, model = sections(key)["Settings"], installed()[key].settings_model
    assert first_column(reported) == set(model.model_fields)
    for name, field in model.model_fields.items():
        needed = "yes" if field.is_required() else "no"
        assert f"| `{name}` | {needed} |" in reported, f"{name} is needed: {needed}"
    (example,) = re.findall(r"```json\n(.*?)```", reported, flags=re.DOTALL)
    filled_in = {name: a_key() if NO_KEY in value else value for name, value in strings(example)}
    installed()[key].remote(model.model_validate({**json.loads(example), **filled_in}))


NO_KEY = "PRIVATE KEY-----\nREPLACE"


def strings(example: str) -> list[tuple[str, str]]:
    return [(name, each) for name, each in json.loads(example).items() if isinstance(each, str)]


def a_key() -> str:
    """Make what stands in the place of a private key, which no page may show."""
    private = ec.generate_private_key(ec.SECP256R1())
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.private_bytes(*form).decode()


@pytest.mark.parametrize("key", KEYS)
def test_it_says_in_words_how_serials_travel(key: str) -> None:
    connector, reported = installed()[key], sections(key)["Serials, there and back"]
    if getattr(connector, "stores_serials", True) is False:
        assert re.search(r"\bno field\b|\bcan only\b", reported)
    comes_in = getattr(connector, "orders_name_serials", None)
    if comes_in:
        assert re.search(r"\bcomes? in\b|\bis read\b|\bare read\b", reported)
    elif comes_in is False:
        assert re.search(
            r"\b[Nn]o serial comes in\b|\bnone comes in\b|\bNothing comes back\b", reported
        )


def test_the_list_says_who_cancels_and_who_pays_back() -> None:
    table = (PAGES / "README.md").read_text().partition("| connector | cancel | pay back |")[2]
    said = {
        row[1].strip(" `"): (row[2].strip(), row[3].strip())
        for line in table.partition("\n\n")[0].splitlines()
        if len(row := line.split("|")) > 3 and row[1].strip().startswith("`")
    }
    selling = {key for key in KEYS if "pull_orders" in capabilities(installed()[key])}
    assert said.keys() == selling
    for key, (cancels, pays) in said.items():
        able = capabilities(installed()[key])
        assert cancels.startswith("yes") is ("cancel_orders" in able), key
        assert pays.startswith("yes") is ("refund_orders" in able), key


def test_the_list_names_every_page_and_every_connector() -> None:
    listed = (PAGES / "README.md").read_text()
    linked = set(re.findall(r"\[`([a-z_]+)`\]\(\1\.md\)", listed))
    assert linked == set(KEYS)
    general = {"README", "writing", "contract", "rows"}
    assert {path.stem for path in PAGES.glob("*.md")} == {*KEYS, *general}
