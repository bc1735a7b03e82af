"""Cases about buyers: how to reach them is read, shown nowhere else, and messages go out."""

from connectors.contract import MessageBuyers, PullOrders, ReadContacts
from connectors.errors import NotFound
from connectors.testing.case import case, require, require_equal, require_raises
from connectors.testing.harness import Harness
from hub.vocabulary import BuyerMessage, Contact

NAME, EMAIL, PHONE = "Ann Ekström", "ann@buyers.test", "+4930123456"


@case(ReadContacts, PullOrders)
async def contacts_are_read_when_asked(harness: Harness) -> None:
    """How a buyer is reached is read of each order, and is in no order; a hidden one is None."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 99)
    ann, bob, nobody = (driver.place_order("CAM", 1) for _ in range(3))
    driver.set_buyer(ann, NAME, EMAIL, PHONE)
    driver.set_buyer(bob, "Bob", "bob@buyers.test", "")
    driver.set_buyer(nobody, "", "", "")
    found = await connector.read_contact(ann)
    require(isinstance(found, Contact), f"the contact of a buyer: {type(found).__name__}")
    require_equal((found.name, found.email), (NAME, EMAIL), "name and address")
    require(found.phone in (PHONE, None), "the number of the buyer")
    other = await connector.read_contact(bob)
    require_equal(other and other.email, "bob@buyers.test", "the address of another buyer")
    require_equal(await connector.read_contact(nobody), None, "a buyer who is not shown")
    orders = [await connector.read_order(ann), *(await harness.pull_all())[0]]
    shown = [word for word in (NAME, EMAIL, PHONE) if word in repr((orders, found))]
    require_equal(shown, [], "what orders, or the text of a contact, repeat of a buyer")
    with require_raises(NotFound, "the contact of an order that is not there"):
        await connector.read_contact(driver.missing_order())


@case(MessageBuyers, PullOrders)
async def messages_reach_the_buyer(harness: Harness) -> None:
    """The channel carries a message to the buyer of an order, also a long one."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 99)
    order = driver.place_order("CAM", 1)

    def message(ref: str, text: str) -> BuyerMessage:
        return BuyerMessage(reference="N-1", order_ref=ref, subject="R-1: Fire", text=text)

    said = await connector.message_buyer(message(order, "Stop using it."))
    require(bool(said), "a message has a reference")
    require_equal(driver.buyer_messages(), 1, "the messages that were carried")
    long_text = "Stop using it. " * connector.message_chars_max
    await connector.message_buyer(message(order, long_text))
    require_equal(driver.buyer_messages(), 2, "the messages after a long one")
    with require_raises(NotFound, "a message about an order that is not there"):
        await connector.message_buyer(message(driver.missing_order(), "Stop."))


CASES = (contacts_are_read_when_asked, messages_reach_the_buyer)
