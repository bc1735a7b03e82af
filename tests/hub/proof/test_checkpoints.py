"""Signed checkpoints and certificates: nothing vanishes, and others can verify it by themselves."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from hub.access.vault import Vault
from hub.lifecycle import Action
from hub.proof import certificate, checkpoints, merkle
from hub.proof.checkpoints import Signer
from signing import issued, sign
from tampering import unguarded
from world import World

DIGESTS = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=40)


@given(DIGESTS, st.data())
def test_every_leaf_climbs_to_the_root_and_no_other_does(
    digests: list[str], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(digests) - 1))
    steps = merkle.path(digests, index)
    assert merkle.climb(digests[index], steps) == merkle.root(digests)
    other = "00" * 32
    if digests[index] != other:
        assert merkle.climb(other, steps) != merkle.root(digests)


def breaks(world: World) -> list[str]:
    trusted = {Signer(world.vault).public_key}
    return world.read(lambda tx: checkpoints.verify(tx, trusted)).breaks


def test_everything_is_signed_once_and_in_order(world: World) -> None:
    world.receive("SN-1", "SN-2")
    assert sign(world) == 4
    assert sign(world) == 0
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    assert sign(world) == 1
    assert [row["events"] for row in world.rows("SELECT * FROM checkpoint ORDER BY number")] == [
        4,
        1,
    ]
    assert breaks(world) == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event WHERE version = 3",
        "DELETE FROM event WHERE unit_id = (SELECT id FROM unit WHERE serial = 'SN-2')",
        "UPDATE checkpoint SET signature = 'AAAA'",
        "UPDATE checkpoint SET events = 4 WHERE number = 1",
        "DELETE FROM checkpoint WHERE number = 1",
    ],
)
def test_what_the_chain_alone_would_not_show_shows(world: World, statement: str) -> None:
    world.receive("SN-1", "SN-2")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    sign(world)
    world.do(Action.MOVE, "SN-1", place="WH")
    sign(world)
    world.write(lambda tx: unguarded(tx, statement))
    assert breaks(world) != []


def test_a_checkpoint_of_another_key_is_not_trusted(world: World) -> None:
    world.receive("SN-1")
    sign(world)
    stranger = {Signer(Vault(Fernet.generate_key().decode())).public_key}
    found = world.read(lambda tx: checkpoints.verify(tx, stranger)).breaks
    assert found == ["checkpoint 1 was signed with a key that is not trusted"]


@pytest.fixture
def paper(world: World) -> dict[str, Any]:
    world.receive("SN-1", "SN-2", "SN-3")
    sign(world)
    world.do(Action.MOVE, "SN-1", "SN-2", place="WH-A1")
    sign(world)
    return issued(world)


@pytest.mark.req("R166", "R169")
def test_a_certificate_verifies_with_the_public_key_alone(
    world: World, paper: dict[str, Any]
) -> None:
    public_key = Signer(world.vault).public_key
    assert certificate.problems(paper, public_key) == []
    assert [event["action"] for event in paper["events"]] == ["receive", "put_away", "move"]
    stranger = Signer(Vault(Fernet.generate_key().decode())).public_key
    assert certificate.problems(paper, stranger) != []


@pytest.mark.parametrize(
    "forge",
    [
        lambda paper: paper["events"][1].update(actor="nobody"),
        lambda paper: paper["events"].pop(1),
        lambda paper: paper["events"].pop(),
        lambda paper: paper["unit"].update(status="sold"),
        lambda paper: paper["unit"].update(id="another"),
        lambda paper: paper["unit"].update(serial="SN-9"),
        lambda paper: paper["checkpoints"][0].update(root="00" * 32),
        lambda paper: paper["events"][0]["proof"].update(path=[]),
        lambda paper: paper.update(events=[]),
        lambda paper: paper.pop("checkpoints"),
        lambda paper: paper.update(format="mine"),
    ],
)
def test_a_forged_certificate_is_found_out(world: World, paper: dict[str, Any], forge: Any) -> None:
    forged = copy.deepcopy(paper)
    forge(forged)
    assert certificate.problems(forged, Signer(world.vault).public_key) != []


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each value of a paper that holds no others."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    else:
        yield path


OTHERS: dict[type, Any] = {str: "Fort Knox", int: 7, bool: None, float: 1.5, type(None): "x"}


def test_no_fact_of_a_certificate_can_be_changed(world: World, paper: dict[str, Any]) -> None:
    public_key = Signer(world.vault).public_key
    paths = list(leaves(paper))
    assert len(paths) > 100
    for path in paths:
        forged = copy.deepcopy(paper)
        holder = forged
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = OTHERS[type(holder[path[-1]])]
        assert certificate.problems(forged, public_key) != [], path
        del holder[path[-1]]
        assert certificate.problems(forged, public_key) != [], path


@pytest.mark.parametrize("where", [(), ("unit",), ("events", 0), ("checkpoints", 0)])
def test_nothing_can_be_added_to_a_certificate(
    world: World, paper: dict[str, Any], where: tuple[Any, ...]
) -> None:
    holder: Any = paper
    for step in where:
        holder = holder[step]
    holder["warranty"] = "for life"
    assert certificate.problems(paper, Signer(world.vault).public_key) != []


def test_what_is_not_yet_signed_is_said(world: World, paper: dict[str, Any]) -> None:
    world.do(Action.MOVE, "SN-1", place="WH")
    found = certificate.problems(issued(world), Signer(world.vault).public_key)
    assert len(found) == 1
    assert "not yet signed" in found[0]
