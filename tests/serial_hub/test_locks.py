"""The locks: each requirement with its hashes, in the versions that were tested; no host."""

import re
from pathlib import Path

import pytest

LOCKS = sorted(Path("requirements").glob("*.lock"))
VERSIONS = {
    name.lower().replace("_", "-"): version
    for line in Path("constraints.txt").read_text().splitlines()
    for name, version in [line.split("==")]
}


def locked(path: Path) -> dict[str, tuple[str, int]]:
    """Return the version and the number of hashes of each requirement."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in path.read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==([^ ;]+)", line):
            name = match[1].lower().replace("_", "-")
            found[name] = (match[2], 0)
        elif "--hash=sha256:" in line:
            version, count = found[name]
            found[name] = (version, count + 1)
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_requirement_has_its_hashes_and_no_host(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "index-url" not in text
    requirements = locked(path)
    assert requirements
    assert [name for name, (_, hashes) in requirements.items() if not hashes] == []


@pytest.mark.parametrize("name", ["dev.lock", "image.lock", "build.lock"])
def test_the_locked_versions_are_those_that_were_tested(name: str) -> None:
    differing = {
        each: (version, VERSIONS.get(each))
        for each, (version, _) in locked(Path("requirements") / name).items()
        if each in VERSIONS and version != VERSIONS[each]
    }
    assert differing == {}


def test_the_image_installs_a_part_of_what_is_tested() -> None:
    tested = locked(Path("requirements/dev.lock"))
    assert locked(Path("requirements/image.lock")).keys() <= tested.keys()
