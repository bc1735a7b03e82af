"""The queue of Amazon's notices: Simple Queue Service over its JSON protocol.

A message that was taken is hidden for a while and comes again unless it is deleted. Notices are not
signed: who may write to the queue is for its policy to say, so only Amazon's selling partner
account should be named there.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from connectors.amazon.mapping import parse_notice
from connectors.contract import QueueMessage, WebhookCall
from connectors.errors import (
    AuthFailed,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Unknown,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.toolkit.sigv4 import SigningKey, SigV4Auth

MESSAGES_MAX = 10  # of one call; the service takes no more
HIDDEN_SECONDS = 120
THROTTLED_SECONDS = 5.0
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_NOT_LET_IN = re.compile(
    r"AccessDenied|Signature|InvalidClientTokenId|UnrecognizedClient|ExpiredToken|OptInRequired"
    r"|InvalidSecurity|MissingAuthenticationToken"
)


def region_of(queue_url: str) -> str | None:
    """Read the region out of a queue's address, where it stands in it."""
    found = _REGION.fullmatch(urlsplit(queue_url).hostname or "")
    return found[1] if found else None


class Queue:
    """One queue of ours, read over the connection of its channel."""

    def __init__(self, api: RemoteApi, url: str, region: str, key: SigningKey) -> None:
        parts = urlsplit(url)
        self._api = api
        self._url = url
        self._endpoint = f"{parts.scheme}://{parts.netloc}/"
        self._auth = SigV4Auth(key, region, "sqs")

    async def receive(self, *, hidden_seconds: int = HIDDEN_SECONDS) -> list[QueueMessage]:
        """Take up to ten messages and hide them for a while."""
        answer = await self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=MESSAGES_MAX,
            VisibilityTimeout=hidden_seconds,
            WaitTimeSeconds=0,
        )
        return [_queued(each) for each in answer.get("Messages") or []]

    async def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages. One whose receipt has grown old comes again, and is known by then."""
        for start in range(0, len(receipts), MESSAGES_MAX):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt}
                for index, receipt in enumerate(receipts[start : start + MESSAGES_MAX])
            ]
            await self._call("DeleteMessageBatch", Entries=entries)

    async def _call(self, action: str, **said: Any) -> dict[str, Any]:
        response = await self._api.request(
            "POST",
            self._endpoint,
            auth=self._auth,
            headers={
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": f"AmazonSQS.{action}",
            },
            content=json.dumps({"QueueUrl": self._url, **said}),
            accept=(400,),
            repeat=True,  # what was taken comes again by itself; deleting twice is deleting
        )
        try:
            answer = response.json()
        except ValueError as error:
            raise Unknown(f"{action}: the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise Unknown(f"{action}: the answer is not an object")
        if response.status_code == 400:
            raise _refusal(action, answer, response)
        return answer


def _refusal(action: str, answer: dict[str, Any], response: httpx.Response) -> ConnectorError:
    kind = str(answer.get("__type") or response.headers.get("x-amzn-query-error") or "")
    message = f"{action}: {kind.rpartition('#')[2]} {answer.get('message') or ''}".strip()
    message = message[:ERROR_TEXT_CHARS_MAX]
    if "DoesNotExist" in kind or "NonExistentQueue" in kind:
        return NotFound(message)
    if _NOT_LET_IN.search(kind):
        return AuthFailed(message)
    if "Throttl" in kind or "OverLimit" in kind:
        return RateLimited(message, THROTTLED_SECONDS)
    return Rejected(message)


def _queued(message: dict[str, Any]) -> QueueMessage:
    body = str(message.get("Body") or "").encode()
    found = parse_notice(body)
    # What is no notice is kept all the same: a person may want to know what came.
    delivery = found[0] if found else WebhookCall(hashlib.sha256(body).hexdigest(), "")
    return QueueMessage(delivery, body, str(message["ReceiptHandle"]))
