"""The image and the compose files keep their promises, and the image's steps run without Docker."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hub.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE_FILES = ("compose.yaml", "compose.postgres.yaml")
SETTINGS = {PREFIX + each.name.upper() for each in fields(Settings)}
START_SECONDS_MAX = 30.0
SECRET_NAME = re.compile(r"SECRET|PASSWORD|TOKEN|KEY")
PASSWORD_IN_A_URL = re.compile(r"://[^/\s:@]+:[^/\s@]+@")


def _services() -> list[Any]:
    return [
        pytest.param(name, service, id=f"{file}:{name}")
        for file in COMPOSE_FILES
        for name, service in _compose(file)["services"].items()
    ]


def _compose(file: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / file).read_text())
    return loaded


def _instructions() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage of the Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    stages: list[list[tuple[str, str]]] = []
    arguments: dict[str, str] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "ARG" and not stages:
            name, _, default = rest.partition("=")
            arguments[f"${{{name}}}"] = default
            continue
        if word == "FROM":
            stages.append([])
            for name, default in arguments.items():
                rest = rest.replace(name, default)
        stages[-1].append((word, rest.strip()))
    return stages


def _is_pinned(image: str) -> bool:
    name, _, tag = image.partition(":")
    return bool(re.search(r"\d", tag)) and "." not in name.split("/")[0]


def test_yaml_files_are_clean() -> None:
    command = [sys.executable, "-m", "yamllint", "--strict", "docker"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("name", "service"), _services())
def test_every_service_comes_back_and_says_how_it_is(name: str, service: dict[str, Any]) -> None:
    ends_by_itself = name == "migrate"
    assert service["restart"] == ("no" if ends_by_itself else "unless-stopped")
    check = service["healthcheck"]
    assert check.get("disable", False) is ends_by_itself
    assert ends_by_itself or check["test"][0] == "CMD"


@pytest.mark.parametrize(("name", "service"), _services())
def test_no_service_may_do_more_than_it_must(name: str, service: dict[str, Any]) -> None:
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert service.get("user") not in {"root", "0"}
    if name != "database":
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:"), "whoever opens it to the world does so knowingly"


@pytest.mark.parametrize(("name", "service"), _services())
def test_images_are_plain_names_with_a_pinned_tag(name: str, service: dict[str, Any]) -> None:
    assert _is_pinned(service["image"]), name


@pytest.mark.parametrize(("name", "service"), _services())
def test_secrets_come_from_outside_and_settings_exist(name: str, service: dict[str, Any]) -> None:
    for variable, value in service["environment"].items():
        assert not PASSWORD_IN_A_URL.search(str(value)), name
        if SECRET_NAME.search(variable):
            assert str(value).startswith(("${", "/run/secrets/")), variable
        if variable.startswith(PREFIX):
            assert variable in SETTINGS


@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_no_file_holds_a_secret(file: str) -> None:
    given = _compose(file)
    assert not PASSWORD_IN_A_URL.search((DOCKER / file).read_text())
    for secret in given.get("secrets", {}).values():
        assert set(secret) == {"file"}


def test_the_entry_of_a_node_takes_its_secrets_from_files(tmp_path: Path) -> None:
    for name in ("database_password", "secret_key"):
        (tmp_path / name).write_text(f"the {name}\n")
    shown = tmp_path / "serial-hub"
    shown.write_text('#!/bin/sh\necho "$PGPASSWORD; $SERIAL_HUB_SECRET_KEY; $*"\n')
    shown.chmod(0o755)
    service = _compose("compose.postgres.yaml")["services"]["worker"]
    command = [
        part.replace("$$", "$").replace("/run/secrets", str(tmp_path))
        for part in (*service["entrypoint"], *service["command"])
    ]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "the database_password; the secret_key; serve --role worker\n"


def test_the_image_is_built_from_pinned_plain_bases_without_downloads() -> None:
    build, runtime = _instructions()
    for stage in (build, runtime):
        word, base = stage[0]
        assert word == "FROM"
        assert _is_pinned(base.split(" ")[0])
        assert "ADD" not in dict(stage)
        assert not any("://" in rest for word, rest in stage if word == "RUN")
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    copied = {rest.split(" ")[0] for word, rest in build if word == "COPY"}
    assert {path.split("/")[0] for path in wheel["targets"]["wheel"]["packages"]} <= copied


def test_what_the_build_copies_reaches_it() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    for word, rest in _instructions()[0]:
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert f"!{source.split('/')[0]}" in ignored, source


def test_the_image_holds_the_wheel_only_and_is_nobody_special() -> None:
    _, runtime = _instructions()
    assert [rest for word, rest in runtime if word == "COPY"] == ["--from=build /dist/ /dist/"]
    words = dict(runtime)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", words["USER"])
    assert words["EXPOSE"] == "8000"
    assert words["VOLUME"] == "/data"
    assert "/healthz" in words["HEALTHCHECK"]
    given = dict(pair.split("=", 1) for pair in words["ENV"].split())
    assert {name for name in given if name.startswith(PREFIX)} <= SETTINGS
    assert given["SERIAL_HUB_HOST"] == "0.0.0.0"
    assert given["SERIAL_HUB_DATABASE"] == "sqlite:////data/serial-hub.db"


@pytest.mark.slow
def test_the_steps_of_the_image_give_a_hub_that_serves_and_stops(tmp_path: Path) -> None:
    wheel = _build_wheel(tmp_path / "dist")
    _check_contents(wheel)
    command = _install(wheel, tmp_path / "environment")
    (tmp_path / "data").mkdir()
    with _settings(tmp_path / "data") as environment:
        listed = _run(command, "connectors", environment=environment)
        assert {"shopify", "square", "vendure", "warranty_rest"} <= {
            line.split(":")[0] for line in listed.splitlines()
        }
        secret = _run(
            command, "keys", "create", "console", "--scope", "ops", environment=environment
        ).strip()
        with _served(command, environment) as (process, url):
            with httpx.Client(base_url=url, follow_redirects=True, timeout=10.0) as client:
                _ask(client, secret)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def _build_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    command += ["--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def _check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    # A folder graphql in the wheel would be installed over graphql-core.
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "serial_hub",
        "hub",
        "connectors",
        "jobs",
        "hub_api",
    }
    assert not [name for name in names if Path(name).name.startswith("test_") or "/tests/" in name]
    assert not [name for name in names if name.endswith((".db", ".key", ".pyc"))]


def _install(wheel: Path, folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    command.append("--disable-pip-version-check")
    lock = ["--require-hashes", "--requirement", str(ROOT / "requirements" / "image.lock")]
    for given in (lock, ["--no-deps", str(wheel)]):
        done = subprocess.run([*command, *given], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder / "bin" / "serial-hub"


@contextmanager
def _settings(folder: Path) -> Iterator[dict[str, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SERIAL_HUB_DATABASE": f"sqlite:///{folder / 'serial-hub.db'}",
        "SERIAL_HUB_PORT": str(port),
    }


def _run(command: Path, *arguments: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [command, *arguments],
        cwd=environment["HOME"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _served(
    command: Path, environment: dict[str, str]
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    url = f"http://127.0.0.1:{environment['SERIAL_HUB_PORT']}"
    folder = environment["HOME"]
    log = Path(folder, "log.txt")
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [command, "serve"], cwd=folder, env=environment, stdout=out, stderr=out
        ) as process,
    ):
        try:
            _await_alive(process, url, log)
            yield process, url
        finally:
            process.kill()


def _await_alive(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            assert httpx.get(f"{url}/healthz").json() == {"status": "alive"}
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(log.read_text())


def _ask(client: httpx.Client, secret: str) -> None:
    """Ask for a piece of everything that has to be in the wheel."""
    assert client.get("/readyz").json() == {"status": "ready"}
    headers = {"authorization": f"Bearer {secret}"}
    answer = client.post("/graphql", json={"query": "{ viewer { name } }"}, headers=headers)
    assert answer.json() == {"data": {"viewer": {"name": "console"}}}
    page = client.get("/graphql", headers={"accept": "text/html"}).text
    for path in re.findall(r'(?:src|href)="(/static/graphiql/[^"]+)"', page):
        assert client.get(path).status_code == 200, path
    assert '"examples":[{' in page
    login = client.get("/console/")
    assert login.status_code == 200
    assert login.headers["content-type"].startswith("text/html")
    for path in re.findall(r'(?:src|href)="(/console/static/[^"]+)"', login.text):
        assert client.get(path).status_code == 200, path
