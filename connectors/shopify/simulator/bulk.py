"""Bulk operations of the simulator of Shopify: one query, its result a file of JSON lines.

An operation runs for `looks` looks. Its file names the lines after all the orders: nobody promised
that what belongs together stands together.
"""

import json
from collections.abc import Callable
from typing import Any

View = dict[str, Any]
RUNNING_MAX = 5


class BulkDesk:
    """The operations of one shop, by id. `files` are what they found."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self.looks = 1
        self.outcome = "COMPLETED"
        self.operations: dict[str, View] = {}
        self.files: dict[str, str] = {}
        self._next_id = next_id

    def begin(self, data: View | None, problems: list[str]) -> View:
        """Take an operation whose query found `data`."""
        if problems or data is None:
            errors = [{"code": "INVALID", "field": ["query"], "message": "; ".join(problems)}]
            return {"bulkOperation": None, "userErrors": errors}
        if sum(each["status"] == "RUNNING" for each in self.operations.values()) >= RUNNING_MAX:
            message = "The maximum number of bulk operations is running."
            busy: View = {"code": "LIMIT_REACHED", "field": None, "message": message}
            return {"bulkOperation": None, "userErrors": [busy]}
        ref = f"gid://shopify/BulkOperation/{self._next_id()}"
        text = "".join(f"{json.dumps(each)}\n" for each in _flat(data))
        self.files[ref.rsplit("/", 1)[1]] = text
        self.operations[ref] = {"id": ref, "status": "RUNNING", "looks": 0}
        return {"bulkOperation": self.operations[ref], "userErrors": []}

    def look(self, ref: str, base: str) -> View | None:
        """Say how far an operation is."""
        operation = self.operations.get(ref)
        if operation is None:
            return None
        operation["looks"] += 1
        if operation["status"] == "RUNNING" and operation["looks"] >= self.looks:
            number = ref.rsplit("/", 1)[1]
            there = self.files[number] and self.outcome == "COMPLETED"
            operation["status"] = self.outcome
            operation["errorCode"] = None if self.outcome == "COMPLETED" else "TIMEOUT"
            operation["url"] = f"{base}/bulk/{number}.jsonl" if there else None
        return operation


def _flat(data: View) -> list[View]:
    """Write objects and, after them, what their connections hold, with the parent's id."""
    objects, children = list[View](), list[View]()
    for edge in data["orders"]["edges"]:
        order = dict(edge["node"])
        for inner in order.pop("lineItems")["edges"]:
            children.append({**inner["node"], "__parentId": order["id"]})
        objects.append(order)
    return [*objects, *reversed(children)]
