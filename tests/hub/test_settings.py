"""Settings: read from the environment, checked, and all of them documented."""

from dataclasses import fields
from pathlib import Path

import pytest

from hub.settings import PREFIX, Settings, from_environment

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
