"""The queue of Amazon's notices, at a server that is not ours and checks every signature: moto.

moto asks for an older python-dateutil than the house has, so it lives in an environment of its own,
which `make e2e` makes. Another one is named by SERIAL_HUB_MOTO, the path of its `moto_server`.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors import AuthFailed, NotFound, OrderRef
from connectors.amazon.simulator.server import AmazonSimulator
from connectors.registry import connect
from connectors.toolkit.rate_limits import NoRateLimits
from connectors.toolkit.sigv4 import SigningKey
from contracts import example
from e2e.servers.moto_server import REGION, ask, make_identity, moto, program


@pytest.fixture
def server() -> Iterator[str]:
    if program() is None:
        pytest.skip("no moto_server: see the top of this file")
    with moto() as url:
        yield url


def connector(queue: str, key: SigningKey) -> Any:
    settings = AmazonSimulator().settings(
        "https://amazon.test",
        queue_url=queue,
        queue_region=REGION,
        queue_access_key_id=key.identity,
        queue_secret_access_key=key.secret,
    )
    return connect("amazon", settings, rate_limits=NoRateLimits())


def test_notices_are_taken_from_a_queue_and_deleted_there(server: str) -> None:
    (notice,) = example("amazon-sp-api", "notification-OrderChangeNotification.json")

    async def scenario() -> None:
        key = await make_identity(server)
        queue = (await ask(server, key, "CreateQueue", QueueName="notices"))["QueueUrl"]
        for n in range(13):
            named = {**notice, "NotificationMetadata": {"NotificationId": f"n-{n}"}}
            await ask(server, key, "SendMessage", QueueUrl=queue, MessageBody=json.dumps(named))
        ours = connector(queue, key)
        taken = [*await ours.receive(), *await ours.receive()]
        assert {each.call.id for each in taken} == {f"n-{n}" for n in range(13)}
        assert ours.read(taken[0].call.topic, taken[0].body) == (OrderRef("903-8868176-2219830"),)
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

    asyncio.run(scenario())
