"""Start a real Medusa server on a PostgreSQL of its own, and shop there."""

import base64
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from e2e.private_postgres import private_server
from e2e.processes import free_port

FOLDER = Path(__file__).parent.parent / "medusa"
START_SECONDS_MAX = 180
STEP_SECONDS_MAX = 300
WEBHOOK_SECRET = "medusa-webhook-secret"
PERSON = {"email": "admin@example.com", "password": "not-a-real-password"}
ADDRESS = {
    "first_name": "Ann",
    "last_name": "Example",
    "address_1": "Street 1",
    "city": "Berlin",
    "country_code": "de",
    "postal_code": "10115",
}


def why_not() -> str | None:
    """Say what is missing to run Medusa here, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules").is_dir():
        return f"Medusa is not installed: run `npm ci --ignore-scripts` in {FOLDER}"
    return None


@dataclass
class MedusaServer:
    """A running shop with one article, `CAM-X1`."""

    url: str
    api_key: str
    stock_location_id: str
    item: str
    variant: str
    region: str
    store_key: str
    database: str

    def settings(self) -> dict[str, Any]:
        """Return the settings with which the connector reaches it."""
        return {
            "base_url": self.url,
            "api_key": self.api_key,
            "webhook_secret": WEBHOOK_SECRET,
            "stock_location_id": self.stock_location_id,
            "calls_per_second": 200,
        }

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Do something as the admin, behind the hub's back."""
        token = base64.b64encode(f"{self.api_key}:".encode()).decode()
        return _call(self.url, method, f"/admin{path}", body, {"authorization": f"Basic {token}"})

    def shown(self) -> int:
        """Return what the shop has for sale of its article."""
        answer = self.admin("GET", f"/inventory-items/{self.item}?fields=*location_levels")
        (level,) = answer["inventory_item"]["location_levels"]
        return int(level["stocked_quantity"]) - int(level["reserved_quantity"])

    def edit_stock(self, stocked: int) -> None:
        """Change the stock behind the hub's back."""
        path = f"/inventory-items/{self.item}/location-levels/{self.stock_location_id}"
        self.admin("POST", path, {"stocked_quantity": stocked})

    def place_order(self, quantity: int) -> str:
        """Buy as a shopper does, from the cart to the payment; returns the order's id."""
        cart = self._store(
            "POST",
            "/carts",
            {
                "region_id": self.region,
                "email": "ann@example.com",
                "shipping_address": ADDRESS,
                "items": [{"variant_id": self.variant, "quantity": quantity}],
            },
        )["cart"]["id"]
        options = self._store("GET", f"/shipping-options?cart_id={cart}")["shipping_options"]
        chosen = {"option_id": options[0]["id"]}
        self._store("POST", f"/carts/{cart}/shipping-methods", chosen)
        paying = self._store("POST", "/payment-collections", {"cart_id": cart})
        collection = paying["payment_collection"]["id"]
        provider = {"provider_id": "pp_system_default"}
        self._store("POST", f"/payment-collections/{collection}/payment-sessions", provider)
        done = self._store("POST", f"/carts/{cart}/complete", {})
        assert done["type"] == "order", done
        return str(done["order"]["id"])

    def draft_order(self, quantity: int) -> str:
        """Begin an order in the back office that is not placed; returns its id."""
        channels = self.admin("GET", "/sales-channels")["sales_channels"]
        channel = next(each for each in channels if each["name"] == "shop")
        draft = {
            "email": "ann@example.com",
            "region_id": self.region,
            "sales_channel_id": channel["id"],
            "items": [{"variant_id": self.variant, "quantity": quantity}],
        }
        return str(self.admin("POST", "/draft-orders", draft)["draft_order"]["id"])

    def refund(self, order: str) -> None:
        """Take the payment of an order, and pay all of it back."""
        fields = "?fields=*payment_collections.payments"
        found = self.admin("GET", f"/orders/{order}{fields}")["order"]
        (payment,) = found["payment_collections"][0]["payments"]
        self.admin("POST", f"/payments/{payment['id']}/capture", {})
        self.admin("POST", f"/payments/{payment['id']}/refund", {"amount": payment["amount"]})

    def capture(self, order: str) -> None:
        """Take the payment of an order."""
        (payment,) = self.payments(order)
        self.admin("POST", f"/payments/{payment['id']}/capture", {})

    def payments(self, order: str) -> list[Any]:
        """Return the payments of an order with their refunds."""
        fields = "?fields=*payment_collections.payments,*payment_collections.payments.refunds"
        found = self.admin("GET", f"/orders/{order}{fields}")["order"]
        return list(found["payment_collections"][0]["payments"])

    def place_odd_order(self) -> str:
        """Place an order with an article and a line that somebody typed in; returns its id."""
        draft = self.draft_order(1)
        self.admin("POST", f"/draft-orders/{draft}/edit", {})
        typed = {"title": "Gravur „Ünïcode“ 🎥", "quantity": 1, "unit_price": 5.05}
        self.admin("POST", f"/draft-orders/{draft}/edit/items", {"items": [typed]})
        self.admin("POST", f"/draft-orders/{draft}/edit/confirm", {})
        self.admin("POST", f"/draft-orders/{draft}/convert-to-order", {})
        return draft

    def delete_order(self, order: str) -> None:
        """Delete an order as an administrator of the database does: Medusa has no call for it."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute('UPDATE "order" SET deleted_at = now() WHERE id = %s', [order])

    def _store(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"x-publishable-api-key": self.store_key}
        return _call(self.url, method, f"/store{path}", body, headers)


@contextmanager
def medusa_server(webhook_url: str, folder: Path) -> Iterator[MedusaServer]:
    """Run Medusa until the block ends; it leaves nothing behind but its log in `folder`."""
    with private_server() as postgres:
        address = postgres.listen(free_port())
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE medusa")
        port = free_port()
        environment = {
            **os.environ,
            "MEDUSA_DISABLE_TELEMETRY": "true",
            "NODE_ENV": "production",
            "DATABASE_URL": f"{address}/medusa",
            "HUB_WEBHOOK_URL": webhook_url,
            "HUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }
        log = folder / "medusa.log"
        _step(environment, log, "db:migrate", "--execute-safe-links", "--execute-safe-search")
        _step(environment, log, "user", "-e", PERSON["email"], "-p", PERSON["password"])
        with _started(environment, log, port) as url:
            yield _seeded(url, environment["DATABASE_URL"])


def _step(environment: Mapping[str, str], log: Path, *arguments: str) -> None:
    with log.open("ab") as output:
        done = subprocess.run(
            ["node", "node_modules/.bin/medusa", *arguments],
            cwd=FOLDER,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=STEP_SECONDS_MAX,
        )
    assert done.returncode == 0, log.read_text()[-3000:]


@contextmanager
def _started(environment: Mapping[str, str], log: Path, port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    command = ["node", "node_modules/.bin/medusa", "start", "--host", "127.0.0.1"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=FOLDER,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(process, url, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"Medusa did not start: {log.read_text()[-3000:]}")


def _seeded(url: str, database: str) -> MedusaServer:
    """Set the shop up by its admin API alone, as its owner would."""
    token = _call(url, "POST", "/auth/user/emailpass", PERSON, {})["token"]
    bearer = {"authorization": f"Bearer {token}"}

    def make(path: str, body: Any) -> Any:
        return _call(url, "POST", f"/admin{path}", body, bearer)

    key = make("/api-keys", {"title": "hub", "type": "secret"})["api_key"]["token"]
    store = make("/api-keys", {"title": "shop", "type": "publishable"})["api_key"]
    sales = make("/sales-channels", {"name": "shop"})["sales_channel"]["id"]
    make(f"/api-keys/{store['id']}/sales-channels", {"add": [sales]})
    region = make(
        "/regions",
        {
            "name": "Europe",
            "currency_code": "eur",
            "countries": ["de"],
            "payment_providers": ["pp_system_default"],
        },
    )["region"]["id"]
    place = {"name": "Warehouse", "address": {"address_1": "Street 2", "country_code": "de"}}
    location = make("/stock-locations", place)["stock_location"]["id"]
    make(f"/stock-locations/{location}/sales-channels", {"add": [sales]})
    make(f"/stock-locations/{location}/fulfillment-providers", {"add": ["manual_manual"]})
    profile = make("/shipping-profiles", {"name": "p", "type": "default"})["shipping_profile"]["id"]
    _ship_from(make, location, profile)
    article = {
        "title": "Camera",
        "status": "published",
        "shipping_profile_id": profile,
        "sales_channels": [{"id": sales}],
        "options": [{"title": "Kind", "values": ["one"]}],
        "variants": [
            {
                "title": "one",
                "sku": "CAM-X1",
                "manage_inventory": True,
                "options": {"Kind": "one"},
                "prices": [{"currency_code": "eur", "amount": 199}],
            }
        ],
    }
    fields = "*variants,*variants.inventory_items"
    (variant,) = make(f"/products?fields={fields}", article)["product"]["variants"]
    item = variant["inventory_items"][0]["inventory_item_id"]
    level = {"location_id": location, "stocked_quantity": 0}
    make(f"/inventory-items/{item}/location-levels", level)
    return MedusaServer(
        url=url,
        api_key=key,
        stock_location_id=location,
        item=item,
        variant=variant["id"],
        region=region,
        store_key=store["token"],
        database=database,
    )


def _ship_from(make: Any, location: str, profile: str) -> None:
    """Say that the location ships to Germany."""
    kind = {"name": f"ships-{secrets.token_hex(3)}", "type": "shipping"}
    shown = "?fields=*fulfillment_sets"
    answer = make(f"/stock-locations/{location}/fulfillment-sets{shown}", kind)
    (ways,) = answer["stock_location"]["fulfillment_sets"]
    zone = {"name": "Germany", "geo_zones": [{"type": "country", "country_code": "de"}]}
    answer = make(f"/fulfillment-sets/{ways['id']}/service-zones?fields=*service_zones", zone)
    (served,) = answer["fulfillment_set"]["service_zones"]
    make(
        "/shipping-options",
        {
            "name": "Parcel",
            "price_type": "flat",
            "provider_id": "manual_manual",
            "service_zone_id": served["id"],
            "shipping_profile_id": profile,
            "type": {"label": "Parcel", "code": "parcel", "description": "A parcel"},
            "prices": [{"currency_code": "eur", "amount": 5}],
            "rules": [],
        },
    )


def _call(url: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
    answer = httpx.request(method, f"{url}{path}", json=body, headers=headers, timeout=60)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
    return answer.json()
