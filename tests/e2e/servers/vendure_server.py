"""Start a real Vendure server for a test, and shop there.

with vendure_server() as server:
    server.shopper.place_order("CAM-X1", 2)
    connect("vendure", server.settings())
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).parent.parent / "vendure"
START_SECONDS_MAX = 120
WEBHOOK_SECRET = "vendure-webhook-secret"


def why_not() -> str | None:
    """Say what is missing to run Vendure here, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules").is_dir():
        return f"Vendure is not installed: run `npm ci --ignore-scripts` in {FOLDER}"
    return None


class Shopper:
    """Somebody with a browser: fills a cart, pays, is done."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/shop-api"

    def place_order(self, sku: str, quantity: int = 1) -> str:
        """Buy and pay; returns the order's id in the Admin API."""
        with httpx.Client(timeout=30) as client:
            self._check_out(client, sku, quantity)
            payments = self._ask(client, "{ eligiblePaymentMethods { code } }")
            method = payments["eligiblePaymentMethods"][0]["code"]
            paid = self._ask(
                client,
                "mutation($i: PaymentInput!) { addPaymentToOrder(input: $i)"
                " { __typename ... on Order { id } ... on ErrorResult { message } } }",
                i={"method": method, "metadata": {}},
            )
            return str(paid["addPaymentToOrder"]["id"])

    def leave_checkout(self, sku: str, quantity: int = 1) -> None:
        """Fill a cart, go to the payment, and leave."""
        with httpx.Client(timeout=30) as client:
            self._check_out(client, sku, quantity)

    def _check_out(self, client: httpx.Client, sku: str, quantity: int) -> None:
        self._ask(
            client,
            "mutation($v: ID!, $n: Int!) { addItemToOrder(productVariantId: $v, "
            "quantity: $n) { __typename ... on ErrorResult { message } } }",
            v=self._variant(client, sku),
            n=quantity,
        )
        self._ask(
            client,
            "mutation($i: CreateCustomerInput!) { setCustomerForOrder(input: $i)"
            " { __typename ... on ErrorResult { message } } }",
            i={"emailAddress": "ann@example.com", "firstName": "A", "lastName": "B"},
        )
        self._ask(
            client,
            "mutation($i: CreateAddressInput!) { setOrderShippingAddress("
            "input: $i) { __typename ... on ErrorResult { message } } }",
            i={"streetLine1": "Street 1", "countryCode": "DE"},
        )
        methods = self._ask(client, "{ eligibleShippingMethods { id } }")
        self._ask(
            client,
            "mutation($i: [ID!]!) { setOrderShippingMethod(shippingMethodId: $i)"
            " { __typename ... on ErrorResult { message } } }",
            i=[methods["eligibleShippingMethods"][0]["id"]],
        )
        self._ask(
            client,
            'mutation { transitionOrderToState(state: "ArrangingPayment")'
            " { __typename ... on ErrorResult { message } } }",
        )

    def _variant(self, client: httpx.Client, sku: str) -> str:
        found = self._ask(client, "{ products { items { variants { id sku } } } }")
        variants = [each for item in found["products"]["items"] for each in item["variants"]]
        return next(str(each["id"]) for each in variants if each["sku"] == sku)

    def _ask(self, client: httpx.Client, query: str, **variables: Any) -> Any:
        answer = client.post(self._url, json={"query": query, "variables": variables})
        if token := answer.headers.get("vendure-auth-token"):
            client.headers["authorization"] = f"Bearer {token}"
        said = answer.json()
        results = (said.get("data") or {}).values()
        refused = [each for each in results if isinstance(each, dict) and "message" in each]
        if said.get("errors") or refused:
            raise RuntimeError(f"the shop refused: {said}")
        return said["data"]


@dataclass(frozen=True, slots=True)
class VendureServer:
    """A running server."""

    url: str
    api_key: str
    stock_location_id: str
    webhook_secret: str
    shopper: Shopper

    def settings(self) -> dict[str, Any]:
        """Return the settings with which the connector reaches it."""
        return {
            "url": f"{self.url}/admin-api",
            "api_key": self.api_key,
            "stock_location_id": self.stock_location_id,
            "webhook_secret": self.webhook_secret,
            "calls_per_second": 200,
        }

    def as_admin(self, query: str, **variables: Any) -> Any:
        """Do something as the superadmin, behind the hub's back."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            login = (
                'mutation { login(username: "superadmin", password: "superadmin") { __typename } }'
            )
            token = client.post("/admin-api", json={"query": login}).headers["vendure-auth-token"]
            body = {"query": query, "variables": variables}
            headers = {"authorization": f"Bearer {token}"}
            answer = client.post("/admin-api", json=body, headers=headers).json()
        if answer.get("errors"):
            raise RuntimeError(f"the server refused: {answer['errors']}")
        return answer["data"]


@contextmanager
def vendure_server(
    webhook_url: str | None = None, products: str = "CAM-X1:10,LENS-50:5,BAG-1:7"
) -> Iterator[VendureServer]:
    """Run Vendure in memory with `products` (SKU:stock) until the block ends."""
    environment = {**os.environ, "PORT": str(_free_port()), "HUB_PRODUCTS": products}
    if webhook_url:
        environment |= {"HUB_WEBHOOK_URL": webhook_url, "HUB_WEBHOOK_SECRET": WEBHOOK_SECRET}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            ["node", "server.js"], cwd=FOLDER, env=environment, stdout=output, stderr=output
        )
        try:
            said = _ready(process, output)
            url = said.pop("url")
            yield VendureServer(
                url=url, webhook_secret=WEBHOOK_SECRET, shopper=Shopper(url), **said
            )
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(process: "subprocess.Popen[bytes]", output: Any) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        output.seek(0)
        lines = output.read().splitlines()
        if "READY" in lines:
            stated = next(line for line in lines if line.startswith("{"))
            return dict(json.loads(stated))
        time.sleep(0.1)
    output.seek(0)
    raise RuntimeError(f"Vendure did not start: {output.read()[-2000:]}")
