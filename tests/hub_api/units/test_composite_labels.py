"""A box's label with several codes at the till, at the returns desk and in the API."""

from typing import Any

from api_client import Hub, play
from hub.access.keys import Scope
from world import World

IMEI, OTHER = "490154203237518", "353879234252633"
LABEL = f"IMEI1: {IMEI}; S/N: AB-12"
CHECK = """mutation($key: String!, $label: String!) {
  done: checkReturn(idempotencyKey: $key, identifier: $label, location: "SHOP", reason: "x") {
    __typename ... on ReturnCase { unit { serial } findings { code } } ... on Problem { code }
  } }"""


def test_the_till_and_the_returns_desk_read_a_whole_label(world: World) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, Scope.SCANNER, Scope.POS)
        arrival = {"serial": LABEL, "product": "CAM"}
        done = await ops.command(
            "receiveUnits", [arrival], key="k-1", location="SHOP", putAway=True
        )
        assert done["results"][0]["accepted"]
        sold = await ops.command("sellUnits", [f"SN AB12 IMEI {IMEI}"], key="k-2", receipt="R-1")
        assert sold["results"][0]["unit"]["serial"] == "AB-12"
        back = await ops.ask(CHECK, key="k-3", label=LABEL)
        assert back["done"]["unit"]["serial"] == "AB-12"

    play(world, story)


def test_a_label_of_two_units_is_a_typed_refusal_at_the_till_and_the_returns_desk(
    world: World,
) -> None:
    world.receive("AB-12", identifiers=(("imei", IMEI),), place="SHOP")
    world.receive("CD-34", identifiers=(("imei", OTHER),), place="SHOP")
    label = f"S/N: AB-12, IMEI: {OTHER}"

    async def story(hub: Hub) -> None:
        ops: Any = await hub.caller(Scope.OPS, Scope.SCANNER, Scope.POS)
        sold = await ops.command("sellUnits", [label], key="k-1", receipt="R-1")
        assert sold["results"][0]["problem"]["code"] == "INVALID_BARCODE"
        back = await ops.ask(CHECK, key="k-2", label=label)
        assert back["done"] == {"__typename": "InvalidBarcode", "code": "INVALID_BARCODE"}
        one = (
            await ops.post("query($i: String!) { unit(identifier: $i) { serial } }", i=label)
        ).json()
        assert one["errors"][0]["extensions"]["code"] == "INVALID_BARCODE"

    play(world, story)
