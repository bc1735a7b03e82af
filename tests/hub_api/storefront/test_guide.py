"""The guide for storefronts: each operation of the page runs against a server, in its order."""

import re
from pathlib import Path
from typing import Any

from api_client import Hub, play
from hub.access.keys import Scope
from shopping.steps import promised
from world import World

GUIDE = Path(__file__).parents[3] / "docs" / "storefront.md"
STEP = re.compile(r"<!-- as: (\w+) -->\n```graphql\n(.*?)```", re.DOTALL)


def refusals(data: Any) -> list[Any]:
    """Return the problems in an answer: objects with a code and a message."""
    if isinstance(data, list):
        return [each for item in data for each in refusals(item)]
    if not isinstance(data, dict):
        return []
    own = [data] if data.get("code") else []
    return own + [each for item in data.values() for each in refusals(item)]


def test_every_operation_of_the_guide_does_what_the_page_says(world: World) -> None:
    text = GUIDE.read_text()
    steps = STEP.findall(text)
    assert len(steps) == text.count("```graphql") >= 12

    async def story(hub: Hub) -> None:
        callers = {
            "admin": await hub.caller(Scope.ADMIN),
            "orders": await hub.caller(Scope.ORDERS),
            "ops": await hub.caller(Scope.OPS),
        }
        answers: dict[str, Any] = {}
        said = {"ORDER": "", "TOKEN": "", "SERIAL": ""}
        for who, operation in steps:
            for word, value in said.items():
                operation = operation.replace(f'"{word}"', f'"{value}"')
            name = re.search(r"(?:query|mutation) (\w+)", operation)
            assert name is not None
            data = await callers[who].ask(operation)
            answers[name[1]] = data
            if name[1] == "Keys":
                for key in ("page", "server"):
                    callers[key] = await hub.with_secret(data[key]["secret"])
            elif name[1] == "Buy":
                bought = data["checkout"]
                (serial,) = promised(world, "LAMP")
                said = {"ORDER": bought["order"]["id"], "TOKEN": bought["token"], "SERIAL": serial}
            if name[1] != "ChangedTheirMind":
                assert refusals(data) == [], name[1]
        check(answers)

    play(world, story)


def check(answers: dict[str, Any]) -> None:
    """Compare the answers with what the page says of them."""
    lamp, none = answers["ProductPage"]["availability"]
    assert (lamp["band"], none) == ("IN_STOCK", None)
    assert [each["site"] for each in lamp["sites"]] == ["BERLIN"]
    assert answers["AddToCart"]["reserve"]["lines"][0]["reserved"] == 2
    assert answers["StillShopping"]["extendReservation"]["units"] == 2
    assert answers["OneLess"]["releaseReservation"]["units"] == 1
    assert answers["Cart"]["reservation"]["lines"][0]["quantity"] == 1
    assert answers["Buy"]["checkout"]["order"]["hold"] == "PAYMENT_PENDING"
    assert answers["Paid"]["confirmPayment"]["hold"] is None
    assert answers["Label"]["order"]["deliveryAddress"]["city"] == "Berlin"
    assert answers["Ship"]["ship"] == {"accepted": 1, "refused": 0}
    followed = answers["Follow"]["orderStatus"]
    assert (followed["progress"], len(followed["parcels"])) == ("SHIPPED", 1)
