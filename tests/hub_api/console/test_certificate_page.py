"""The custody certificate as a page: it shows its record, proves it, and hides nothing else."""

import hashlib
import json
import re
from base64 import b64encode
from typing import Any

import pytest

from hub.lifecycle import Action
from hub.proof import certificate
from hub.proof.checkpoints import Signer
from hub_api.console import certificates
from signing import issued, sign
from world import World

HOSTILE = "</script><script>alert(1)</script><b>'\"&"


@pytest.fixture
def paper(world: World) -> dict[str, Any]:
    world.receive("SN-1")
    world.now = world.now.replace(minute=5)
    world.do(Action.MOVE, "SN-1", place="WH-A1", reason=HOSTILE)
    sign(world)
    return issued(world)


@pytest.mark.req("R164", "R166")
def test_a_page_is_verified_from_the_file_alone(world: World, paper: dict[str, Any]) -> None:
    html = certificates.page(paper)
    found, wrong = certificates.read(html)
    assert wrong == []
    assert found == paper
    assert certificate.problems(found, Signer(world.vault).public_key) == []
    for shown in ("SN-1", "Received", "Put into stock", "Moved", "WH-A1", "tester"):
        assert shown in html


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("Moved", "Sold over the counter"),
        ("<h1>SN-1</h1>", "<h1>SN-2</h1>"),
        ("WH-A1", "SHOP"),
        ("Every event is sealed", "Every event is true"),
        ("</main>", "<p>Warranty: ten years</p></main>"),
    ],
)
def test_what_was_written_over_the_page_is_found_out(
    paper: dict[str, Any], was: str, becomes: str
) -> None:
    html = certificates.page(paper)
    assert was in html
    _, wrong = certificates.read(html.replace(was, becomes, 1))
    assert wrong != []


def test_no_line_of_the_page_can_be_changed_or_left_out(
    world: World, paper: dict[str, Any]
) -> None:
    public_key = Signer(world.vault).public_key
    lines = certificates.page(paper).splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        for forged in (line.replace(line.strip(), "Fort Knox"), ""):
            text = "".join([*lines[:number], forged, *lines[number + 1 :]])
            try:
                found, wrong = certificates.read(text)
            except ValueError:
                continue
            assert wrong + certificate.problems(found, public_key) != [], line


def test_places_that_were_changed_with_their_page_are_found_out(
    world: World, paper: dict[str, Any]
) -> None:
    for event in paper["events"]:
        event["from"] = event["to"] = "Fort Knox"
    found, wrong = certificates.read(certificates.page(paper))
    assert wrong == []
    assert certificate.problems(found, Signer(world.vault).public_key) != []


def test_a_record_that_was_changed_with_its_page_is_found_out(
    world: World, paper: dict[str, Any]
) -> None:
    paper["events"][2]["actor"] = "somebody else"
    found, wrong = certificates.read(certificates.page(paper))
    assert wrong == []
    assert certificate.problems(found, Signer(world.vault).public_key) != []


@pytest.mark.parametrize("text", ["<p>no record</p>", "[]", "no json", ""])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        certificates.read(text)


def test_hostile_texts_stay_texts_and_nothing_is_fetched(paper: dict[str, Any]) -> None:
    html = certificates.page(paper)
    assert html.count("<script") == 1
    assert "alert(1)</script>" not in html
    assert not re.search(r"(?:src|href|url)\s*[=(]", html)
    style = html.split("<style>")[1].split("</style>")[0]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in certificates.POLICY


def test_events_that_are_not_signed_yet_are_told(world: World, paper: dict[str, Any]) -> None:
    world.do(Action.MOVE, "SN-1", place="WH")
    later = issued(world)
    html = certificates.page(later)
    assert "1 of the 4 events are sealed, but not yet signed" in html
    assert certificates.read(html) == (later, [])
    assert paper != later


def test_a_fact_that_is_stated_twice_is_found_out(paper: dict[str, Any]) -> None:
    text = json.dumps(paper)
    assert certificates.read(text) == (paper, [])
    for name in ("to", "serial", "issued_at", "signature"):
        forged = text.replace(f'"{name}":', f'"{name}": "Fort Knox", "{name}":', 1)
        with pytest.raises(ValueError, match="twice"):
            certificates.read(forged)


def test_a_file_that_is_nested_without_end_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="deep"):
        certificates.read('{"events": ' + "[" * 100_000 + "]" * 100_000 + "}")
