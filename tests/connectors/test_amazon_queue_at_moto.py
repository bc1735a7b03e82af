"""The queue of Amazon's notices, at a server that is not ours and checks every signature: moto.

moto asks for an older python-dateutil than the house has, so it lives in an environment of its own:

    python -m venv moto && moto/bin/pip install "moto[server]==5.2.5"
    SERIAL_HUB_MOTO=moto/bin/moto_server pytest tests/connectors/test_amazon_queue_at_moto.py
"""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from connectors import AuthFailed, Hint, NotFound
from connectors.budgets import NoBudgets
from connectors.registry import connect
from connectors.sigv4 import SigningKey, SigV4Auth
from connectors.simulators import AmazonTwin
from contracts import example

SERVER = os.environ.get("SERIAL_HUB_MOTO") or shutil.which("moto_server")
START_SECONDS_MAX = 30.0
REGION = "us-east-1"
# So many calls are answered without looking at the signature: they make the identity.
PREPARING = 3
ALLOWED = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}


@pytest.fixture
def server() -> Iterator[str]:
    if SERVER is None:
        pytest.skip("no moto_server: see the top of this file")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(PREPARING)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        [SERVER, "-H", "127.0.0.1", "-p", str(port)], env=environment, stdout=quiet, stderr=quiet
    )
    try:
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)


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
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
    auth = SigV4Auth(key, REGION, "sqs")
    async with httpx.AsyncClient() as client:
        answer = await client.post(server, content=json.dumps(said), headers=headers, auth=auth)
    return answer.raise_for_status().json()


def connector(queue: str, key: SigningKey) -> Any:
    settings = AmazonTwin().settings(
        "https://amazon.test",
        queue_url=queue,
        queue_region=REGION,
        queue_access_key_id=key.identity,
        queue_secret_access_key=key.secret,
    )
    return connect("amazon", settings, budgets=NoBudgets())


def test_notices_are_taken_from_a_queue_and_deleted_there(server: str) -> None:
    (notice,) = example("amazon-sp-api", "notification-OrderChangeNotification.json")

    async def story() -> None:
        key = await make_identity(server)
        queue = (await ask(server, key, "CreateQueue", QueueName="notices"))["QueueUrl"]
        for n in range(13):
            named = {**notice, "NotificationMetadata": {"NotificationId": f"n-{n}"}}
            await ask(server, key, "SendMessage", QueueUrl=queue, MessageBody=json.dumps(named))
        ours = connector(queue, key)
        taken = [*await ours.receive(), *await ours.receive()]
        assert {each.delivery.id for each in taken} == {f"n-{n}" for n in range(13)}
        assert ours.read(taken[0].delivery.topic, taken[0].body) == (Hint("903-8868176-2219830"),)
        assert await ours.receive() == [], "what was taken is hidden"
        await ours.acknowledge([each.receipt for each in taken[:12]])
        await ours.acknowledge([each.receipt for each in taken[:12]])
        wanted = ["ApproximateNumberOfMessagesNotVisible"]
        left = await ask(server, key, "GetQueueAttributes", QueueUrl=queue, AttributeNames=wanted)
        assert left["Attributes"][wanted[0]] == "1"
        with pytest.raises(NotFound):
            await connector(f"{server}000000000000/nowhere", key).receive()
        for wrong in (SigningKey(key.identity, "another"), SigningKey("AKIANOBODY", key.secret)):
            with pytest.raises(AuthFailed):
                await connector(queue, wrong).receive()

    asyncio.run(story())
