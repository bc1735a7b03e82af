"""Who sold at the counter, as the channel names them, is shown with the order and the sale."""

from api_client import Hub, play
from hub.access.keys import Scope
from hub.vocabulary import OrderLine, OrderState
from recalling import sell
from world import World

SHOWN = """{ orders { nodes { number staffRef } } unit(identifier: "SN-1") {
  sales { orderNumber staffRef customerRef } } }"""


def test_the_staff_of_a_sale_is_shown_and_not_forgotten(world: World) -> None:
    till = world.channel("pos")
    world.receive("SN-1")
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, serials=("SN-1",))
    sold = {"state": OrderState.FULFILLED, "at_counter": True, "customer_ref": "c-1"}
    world.accept(till, world.order("o-1", [line], staff_ref="user-7", **sold))
    world.pass_time(minutes=1)
    world.accept(till, world.order("o-1", [line], **sold))  # the channel hides it later
    sell(world, till, "o-2", customer=None)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        shown = await ops.ask(SHOWN)
        assert {each["number"]: each["staffRef"] for each in shown["orders"]["nodes"]} == {
            "#o-1": "user-7",
            "#o-2": None,
        }
        wanted = {"orderNumber": "#o-1", "staffRef": "user-7", "customerRef": "c-1"}
        assert shown["unit"]["sales"] == [wanted]

    play(world, story)
