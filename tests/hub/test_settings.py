"""Settings: read from the environment, checked, and all of them documented."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from hub.settings import PREFIX, PROCESSES_MAX, Settings, from_environment

README = Path(__file__).parent.parent.parent / "README.md"


def test_nothing_set_is_the_embedded_default() -> None:
    settings = from_environment({})
    assert settings == Settings()
    assert settings.database.startswith("sqlite:///")


def test_settings_are_read_by_their_type() -> None:
    settings = from_environment(
        {"SERIAL_HUB_PORT": "81", "SERIAL_HUB_GRAPHIQL": "no", "SERIAL_HUB_HOST": "::1"}
    )
    assert (settings.port, settings.graphiql, settings.host) == (81, False, "::1")


@pytest.mark.parametrize(
    ("name", "value"), [("SERIAL_HUB_PORT", "eighty"), ("SERIAL_HUB_GRAPHIQL", "perhaps")]
)
def test_what_can_not_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        from_environment({name: value})


def test_the_secret_key_does_not_show() -> None:
    assert "s3cret" not in repr(Settings(secret_key="s3cret"))


def test_every_setting_is_in_the_manual() -> None:
    manual = README.read_text()
    missing = [each.name for each in fields(Settings) if PREFIX + each.name.upper() not in manual]
    assert missing == []


def test_a_server_is_served_by_one_process_for_each_core_four_at_most() -> None:
    server = {"SERIAL_HUB_DATABASE": "postgresql://hub@db/hub"}
    cores = len(os.sched_getaffinity(0))
    assert from_environment(server).processes_used() == min(cores, PROCESSES_MAX)
    assert from_environment({**server, "SERIAL_HUB_PROCESSES": "7"}).processes_used() == 7


def test_a_file_is_served_by_one_process() -> None:
    assert from_environment({}).processes_used() == 1
    for vain in ("2", "-1"):
        with pytest.raises(ValueError, match="SERIAL_HUB_PROCESSES"):
            from_environment({"SERIAL_HUB_PROCESSES": vain})
