"""Amazon's feeds: a document is put at a signed address, named, worked on, and reported about.

A feed is worked on when it is looked at for the `looks`-th time, in the order of its messages, and
its report comes packed.
"""

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FEEDS = "/feeds/2021-06-30"
Record = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class FeedDesk:
    """The feeds of one seller. `feeds` and `documents` may be looked at."""

    def __init__(
        self,
        problem: Callable[[str, Mapping[str, Any]], Record | None],
        change: Callable[[str, Mapping[str, Any]], None],
        next_id: Callable[[], int],
        stamp: Callable[[], str],
    ) -> None:
        self.feeds: dict[str, Record] = {}
        self.documents: dict[str, bytes] = {}
        self.looks = 1
        self._problem, self._set = problem, change
        self._next_id, self._stamp = next_id, stamp

    def table(self) -> list[tuple[str, str, Handler]]:
        """Return what is asked with a token."""
        return [
            ("POST", f"{FEEDS}/documents", self._place),
            ("GET", f"{FEEDS}/documents/{{id}}", self._document),
            ("GET", f"{FEEDS}/feeds", self._list_feeds),
            ("POST", f"{FEEDS}/feeds", self._feed),
            ("GET", f"{FEEDS}/feeds/{{id}}", self._look_at_feed),
            ("DELETE", f"{FEEDS}/feeds/{{id}}", self._withdraw_feed),
        ]

    def files(self) -> list[Route]:
        """Return the addresses that are signed themselves."""
        return [
            Route("/files/{id}", self._put_file, methods=["PUT"]),
            Route("/files/{id}", self._get_file, methods=["GET"]),
        ]

    async def _place(self, request: Request) -> Response:
        ref = f"document-{self._next_id()}"
        self.documents[ref] = b""
        url = f"{request.url.scheme}://{request.url.netloc}/files/{ref}"
        return JSONResponse({"feedDocumentId": ref, "url": url}, status_code=201)

    async def _put_file(self, request: Request) -> Response:
        if "x-amz-access-token" in request.headers:
            return Response(status_code=400)  # a signed address takes no other credentials
        self.documents[request.path_params["id"]] = await request.body()
        return Response()

    async def _get_file(self, request: Request) -> Response:
        return Response(self.documents[request.path_params["id"]])

    async def _document(self, request: Request) -> Response:
        ref = request.path_params["id"]
        url = f"{request.url.scheme}://{request.url.netloc}/files/{ref}"
        said = {"feedDocumentId": ref, "url": url, "compressionAlgorithm": "GZIP"}
        return JSONResponse(said)

    async def _list_feeds(self, request: Request) -> Response:
        wanted = request.query_params.get("processingStatuses", "").split(",")
        found = [each for each in self.feeds.values() if each["processingStatus"] in wanted]
        return JSONResponse({"feeds": found})

    async def _feed(self, request: Request) -> Response:
        asked, ref = await request.json(), f"feed-{self._next_id()}"
        self.feeds[ref] = {
            "feedId": ref,
            "feedType": asked["feedType"],
            "createdTime": self._stamp(),
            "processingStatus": "IN_QUEUE",
            "input": asked["inputFeedDocumentId"],
            "looks": 0,
        }
        return JSONResponse({"feedId": ref}, status_code=202)

    async def _look_at_feed(self, request: Request) -> Response:
        feed = self.feeds[request.path_params["id"]]
        feed["looks"] += 1
        if feed["looks"] >= self.looks and feed["processingStatus"] == "IN_QUEUE":
            self._work_on(feed)
        return JSONResponse({name: feed[name] for name in feed if name not in ("input", "looks")})

    async def _withdraw_feed(self, request: Request) -> Response:
        feed = self.feeds[request.path_params["id"]]
        if feed["processingStatus"] != "IN_QUEUE":
            error = {
                "code": "InvalidInput",
                "message": "Only a feed in the queue can be cancelled.",
            }
            return JSONResponse({"errors": [error]}, status_code=400)
        feed["processingStatus"] = "CANCELLED"
        return Response()

    def _work_on(self, feed: Record) -> None:
        document = json.loads(self.documents[feed["input"]])
        issues = []
        for message in document["messages"]:
            problem = self._problem(message["sku"], message)
            if problem is not None:
                issues.append({**problem, "messageId": message["messageId"], "sku": message["sku"]})
            else:
                self._set(message["sku"], message)
        header = {
            "sellerId": document["header"]["sellerId"],
            "version": "2.0",
            "feedId": feed["feedId"],
        }
        report = {"header": header, "issues": issues, "summary": {"errors": len(issues)}}
        ref = f"document-{self._next_id()}"
        self.documents[ref] = gzip.compress(json.dumps(report).encode())
        feed |= {"processingStatus": "DONE", "resultFeedDocumentId": ref}
