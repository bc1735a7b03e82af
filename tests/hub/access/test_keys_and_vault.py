"""Keys and secrets: digests in the database, sealed settings, scopes that contain each other."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hub.access import keys
from hub.access.keys import Scope
from hub.access.vault import Vault, WrongKey, key_beside
from hub.errors import Forbidden, InvalidInput, UnknownReference
from world import World


def test_a_key_is_known_by_its_secret_until_it_is_revoked(world: World) -> None:
    key_id, secret = world.write(lambda tx: keys.create(tx, "till", [Scope.POS], world.now))
    caller = world.read(lambda tx: keys.caller(tx, secret, world.now))
    assert caller is not None
    assert (caller.name, caller.may(Scope.POS), caller.may(Scope.OPS)) == ("till", True, False)
    assert world.read(lambda tx: keys.caller(tx, secret + "x", world.now)) is None
    world.write(lambda tx: keys.revoke(tx, key_id, world.now))
    assert world.read(lambda tx: keys.caller(tx, secret, world.now)) is None
    assert world.read(lambda tx: keys.caller_by_id(tx, key_id, world.now)) is None


def test_the_secret_itself_is_nowhere_in_the_database(world: World) -> None:
    _, secret = world.write(lambda tx: keys.create(tx, "till", [Scope.POS], world.now))
    assert secret not in str(world.rows("SELECT * FROM api_key"))
    assert secret.removeprefix(keys.PREFIX) not in str(world.rows("SELECT * FROM api_key"))


def test_wider_scopes_contain_narrower_ones(world: World) -> None:
    _, secret = world.write(lambda tx: keys.create(tx, "ops", [Scope.OPS], world.now))
    caller = world.read(lambda tx: keys.caller(tx, secret, world.now))
    assert caller is not None
    caller.require(Scope.SCANNER)
    with pytest.raises(Forbidden) as refused:
        caller.require(Scope.ADMIN)
    assert refused.value.details == {"needs": "admin"}


def test_a_key_without_name_or_scope_is_refused(world: World) -> None:
    for name, scopes in (("", [Scope.OPS]), ("x", []), ("x" * 101, [Scope.OPS])):
        with pytest.raises(InvalidInput):
            world.write(lambda tx, n=name, s=scopes: keys.create(tx, n, s, world.now))
    with pytest.raises(UnknownReference):
        world.write(lambda tx: keys.revoke(tx, "none", world.now))


def test_settings_are_sealed_and_opened_by_old_and_new_keys() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Vault(old).seal({"token": "s3cret"})
    assert "s3cret" not in sealed
    assert Vault(f"{new}, {old}").open(sealed) == {"token": "s3cret"}
    with pytest.raises(WrongKey):
        Vault(new).open(sealed)
    assert old not in repr(Vault(old))


def test_keys_for_other_purposes_differ_from_each_other_and_from_the_key() -> None:
    key = Fernet.generate_key().decode()
    vault = Vault(key)
    assert len({vault.derive("a"), vault.derive("b"), key}) == 3
    assert vault.derive("a") == Vault(key).derive("a")


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = key_beside(tmp_path)
    assert key_beside(tmp_path) == first
    mode = stat.S_IMODE(os.stat(tmp_path / "serial-hub.key").st_mode)
    assert mode == 0o600
