"""A queue as Amazon's Simple Queue Service keeps it: hidden while taken, back unless deleted.

It works out the signature of each call by itself, over the headers that the caller says it signed.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

BATCH_MAX = 10
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
MUST_BE_SIGNED = {"host", "x-amz-date", "x-amz-target"}


@dataclass(slots=True)
class HeldMessage:
    """One message, and until when it is hidden."""

    id: str
    body: str
    hidden_until: datetime | None = None
    receipt: str = ""
    taken: int = 0


class QueueSimulator:
    """One queue. `messages` may be looked at; `path` is its address below the simulator's."""

    path = "/000000000000/selling-partner-notices"

    def __init__(self, clock: Callable[[], datetime], next_id: Callable[[], int]) -> None:
        self.identity, self.secret = "AKIDTWIN", "twin-queue-secret-access-key"
        self.region = "eu-west-1"
        self.messages: list[HeldMessage] = []
        self._now, self._next_id = clock, next_id

    def put(self, body: str) -> None:
        """Let somebody write to the queue."""
        self.messages.append(HeldMessage(str(self._next_id()), body))

    def expire_visibility(self) -> None:
        """Show what was taken and not deleted, as the end of its hiding would."""
        for may_send in self.messages:
            may_send.hidden_until = None

    async def answer(self, request: Request) -> Response:
        """Answer one call of the JSON protocol."""
        body = await request.body()
        refusal = self._refused(request, body)
        if refusal is not None:
            return refusal
        asked = json.loads(body)
        if not str(asked.get("QueueUrl", "")).endswith(self.path):
            return _failed("QueueDoesNotExist", "The specified queue does not exist.")
        action = request.headers.get("x-amz-target", "").removeprefix("AmazonSQS.")
        if action == "ReceiveMessage":
            return self._receive(asked)
        if action == "DeleteMessageBatch":
            return self._delete(asked)
        return _failed("InvalidAction", f"{action} is not known")

    def _receive(self, asked: Mapping[str, Any]) -> Response:
        count = asked.get("MaxNumberOfMessages", 1)
        if not 1 <= count <= BATCH_MAX:
            return _failed("InvalidParameterValue", "Value is invalid. Must be between 1 and 10.")
        now, found = self._now(), list[dict[str, str]]()
        for may_send in self.messages:
            if len(found) < count and (
                may_send.hidden_until is None or may_send.hidden_until <= now
            ):
                may_send.hidden_until = now + timedelta(seconds=asked.get("VisibilityTimeout", 30))
                may_send.receipt, may_send.taken = (
                    f"{may_send.id}-{self._next_id()}",
                    may_send.taken + 1,
                )
                found.append(
                    {
                        "MessageId": may_send.id,
                        "ReceiptHandle": may_send.receipt,
                        "MD5OfBody": hashlib.md5(may_send.body.encode()).hexdigest(),  # noqa: S324
                        "Body": may_send.body,
                    }
                )
        return JSONResponse({"Messages": found} if found else {})

    def _delete(self, asked: Mapping[str, Any]) -> Response:
        entries = asked["Entries"]
        if not 1 <= len(entries) <= BATCH_MAX:
            return _failed("TooManyEntriesInBatchRequest", "Maximum number of entries is 10.")
        receipts = {each["ReceiptHandle"] for each in entries}
        self.messages = [each for each in self.messages if each.receipt not in receipts]
        return JSONResponse({"Successful": [{"Id": each["Id"]} for each in entries], "Failed": []})

    def _refused(self, request: Request, body: bytes) -> Response | None:
        read = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if read is None:
            return _failed("MissingAuthenticationTokenException", "Not signed.", 403)
        identity, day, region, service, names, signature = read.groups()
        if identity != self.identity:
            return _failed("InvalidClientTokenId", "The security token is invalid.", 403)
        if not set(names.split(";")) >= MUST_BE_SIGNED or (region, service) != (self.region, "sqs"):
            return _failed("SignatureDoesNotMatch", "Credential should be scoped rightly.", 403)
        head = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names.split(";"))
        digest = hashlib.sha256(body).hexdigest()
        whole = f"{request.method}\n{request.url.path}\n\n{head}\n{names}\n{digest}"
        scope = f"{day}/{region}/{service}/aws4_request"
        stamp = request.headers["x-amz-date"]
        hashed = hashlib.sha256(whole.encode()).hexdigest()
        key = f"AWS4{self.secret}".encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        if hmac.digest(key, text.encode(), "sha256").hex() != signature:
            return _failed("SignatureDoesNotMatch", "The signature does not match.", 403)
        return None


def _failed(kind: str, message: str, status: int = 400) -> Response:
    said = {"__type": f"com.amazonaws.sqs#{kind}", "message": message}
    return JSONResponse(said, status_code=status)
