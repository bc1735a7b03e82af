"""Run moto, an emulator of Amazon's services that is not ours and checks every signature."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import httpx

from connectors.toolkit.sigv4 import SigningKey, SigV4Auth
from e2e.processes import free_port
from e2e.servers.django_server import python_of

REGION = "us-east-1"
START_SECONDS_MAX = 60.0
# So many calls are answered without looking at the signature: they make the identity.
PREPARING = 3
ALLOWED = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}


def program() -> str | None:
    """Find the program: a named one, the one that `make e2e` installed, or one on the path."""
    installed = python_of("moto").with_name("moto_server")
    here = str(installed) if installed.exists() else shutil.which("moto_server")
    return os.environ.get("SERIAL_HUB_MOTO") or here


@contextmanager
def moto() -> Iterator[str]:
    """Run a server with nothing in it until the block ends; yields its URL."""
    command, port = program(), free_port()
    assert command is not None, "make e2e installs it"
    process = subprocess.Popen(
        [command, "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(PREPARING)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(process, port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("moto did not start")


async def make_identity(server: str) -> SigningKey:
    """Let somebody in who may do everything with queues."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [ALLOWED]})
    said = ""
    async with httpx.AsyncClient() as client:
        for form in (
            {"Action": "CreateUser"},
            {"Action": "PutUserPolicy", "PolicyName": "queues", "PolicyDocument": policy},
            {"Action": "CreateAccessKey"},
        ):
            auth = SigV4Auth(SigningKey("NOBODY", "nothing"), REGION, "iam")
            body = {**form, "UserName": "hub", "Version": "2010-05-08"}
            headers = {"content-type": "application/x-www-form-urlencoded"}
            answer = await client.post(server, content=urlencode(body), headers=headers, auth=auth)
            said = answer.raise_for_status().text
    identity = re.search("<AccessKeyId>(.*?)<", said)
    secret = re.search("<SecretAccessKey>(.*?)<", said)
    assert identity is not None
    assert secret is not None
    return SigningKey(identity[1], secret[1])


async def ask(server: str, key: SigningKey, action: str, **said: Any) -> Any:
    """Call the queue service as Amazon's own clients do."""
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
    auth = SigV4Auth(key, REGION, "sqs")
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(server, content=json.dumps(said), headers=headers, auth=auth)
    return answer.raise_for_status().json()
