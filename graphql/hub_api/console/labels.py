"""The words of the console: what each value of the API is called, how serious it is, how old."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

Words = Mapping[str, str]

STATUS: Words = {
    "EXPECTED": "Expected",
    "RECEIVED": "Received",
    "IN_STOCK": "In stock",
    "PICKED": "Picked",
    "PACKED": "Packed",
    "SHIPPED": "Shipped",
    "SOLD": "Sold",
    "IN_TRANSFER": "In transfer",
    "RETURNED": "Returned",
    "IN_REPAIR": "In repair",
    "IN_KIT": "Part of a kit",
    "MISSING": "Missing",
    "STOLEN": "Stolen",
    "CONDEMNED": "Condemned",
    "AT_SUPPLIER": "Back at the supplier",
    "MERGED": "Merged",
    "WRITTEN_OFF": "Written off",
}
# What happened, as a line of a history; what may be done next.
HAPPENED: Words = {
    "COMMISSION": "Serial put on the unit",
    "RECEIVE": "Received",
    "PUT_AWAY": "Put into stock",
    "MOVE": "Moved",
    "TRANSFER_OUT": "Sent to another site",
    "TRANSFER_IN": "Arrived from another site",
    "HOLD": "Held",
    "UNBLOCK": "Block lifted",
    "ALLOCATE": "Promised to an order",
    "REALLOCATE": "Promise renewed",
    "RELEASE": "Promise taken back",
    "PICK": "Picked",
    "PACK": "Packed",
    "SHIP": "Handed to the carrier",
    "SELL": "Sold over the counter",
    "ACCEPT_RETURN": "Returned by the customer",
    "RESTOCK": "Inspected: back into stock",
    "REPAIR": "Sent to repair",
    "QUARANTINE": "Inspected: quarantined",
    "CONDEMN": "Inspected: condemned",
    "WRITE_OFF": "Written off",
    "COLLECT": "Collected by the customer",
    "TAKE_IN": "Taken in for service",
    "HAND_BACK": "Handed back to the customer",
    "LOSE": "Found missing",
    "REPORT_STOLEN": "Reported stolen",
    "RETURN_TO_SUPPLIER": "Returned to the supplier",
    "FIND": "Found again",
    "COUNT": "Seen at a count",
    "RELOCATE": "Found at another place",
    "ENTER_KIT": "Became part of a kit",
    "LEAVE_KIT": "Taken out of its kit",
    "FOLLOW_KIT": "Went with its kit",
    "ASSEMBLE": "Part put in",
    "DISASSEMBLE": "Part taken out",
    "MAINTAIN": "Serviced",
    "ACTIVATE": "Taken into use",
    "CHANGE_OWNER": "Owner changed",
    "SENSE": "Measured",
    "ANNOTATE": "Noted",
    "MERGE": "Merged into another record",
    "ABSORB": "Took over a second record",
    "REIDENTIFY": "Serial or product put right",
    "CORRECT": "Corrected",
}
ACTION: Words = {
    "COMMISSION": "Commission",
    "RECEIVE": "Receive",
    "PUT_AWAY": "Put away",
    "MOVE": "Move",
    "TRANSFER_OUT": "Transfer out",
    "TRANSFER_IN": "Transfer in",
    "HOLD": "Hold",
    "UNBLOCK": "Lift a block",
    "ALLOCATE": "Promise to an order",
    "REALLOCATE": "Renew the promise",
    "RELEASE": "Take the promise back",
    "PICK": "Pick",
    "PACK": "Pack",
    "SHIP": "Ship",
    "SELL": "Sell",
    "ACCEPT_RETURN": "Accept as return",
    "RESTOCK": "Restock",
    "REPAIR": "Repair",
    "QUARANTINE": "Quarantine",
    "CONDEMN": "Condemn",
    "WRITE_OFF": "Write off",
    "COLLECT": "Hand to the collecting customer",
    "TAKE_IN": "Take in for service",
    "HAND_BACK": "Hand back",
    "LOSE": "Report missing",
    "REPORT_STOLEN": "Report stolen",
    "RETURN_TO_SUPPLIER": "Return to the supplier",
    "FIND": "Report found",
    "COUNT": "Count",
    "RELOCATE": "Correct its place",
    "ENTER_KIT": "Put into a kit",
    "LEAVE_KIT": "Take out of its kit",
    "FOLLOW_KIT": "Follow its kit",
    "ASSEMBLE": "Put a part in",
    "DISASSEMBLE": "Take a part out",
    "MAINTAIN": "Service",
    "ACTIVATE": "Activate",
    "CHANGE_OWNER": "Change the owner",
    "SENSE": "Measure",
    "ANNOTATE": "Note",
    "MERGE": "Merge into another record",
    "ABSORB": "Take over a second record",
    "REIDENTIFY": "Put serial or product right",
    "CORRECT": "Correct",
}
DISPOSITION: Words = {
    "ACTIVE": "Active",
    "IN_PROGRESS": "In progress",
    "SELLABLE_NOT_ACCESSIBLE": "Sellable, in the warehouse",
    "SELLABLE_ACCESSIBLE": "Sellable, on the shelf",
    "NON_SELLABLE_OTHER": "Not sellable",
    "IN_TRANSIT": "In transit",
    "RETAIL_SOLD": "Sold",
    "RETURNED": "Returned",
    "DAMAGED": "Damaged",
    "RECALLED": "Recalled",
    "DESTROYED": "Destroyed",
    "UNKNOWN": "Whereabouts unknown",
    "STOLEN": "Stolen",
    "UNAVAILABLE": "Part of a kit",
    "INACTIVE": "Merged into another record",
}
HOLD: Words = {
    "SALE": "Promised",
    "QUALITY": "Quality block",
    "RECALL": "Recall",
    "FRAUD": "Fraud block",
}
CAPTURE: Words = {
    "SCAN": "scanned",
    "MANUAL": "typed in",
    "IMPORT": "imported",
    "API": "by API",
    "RFID": "by RFID",
}
PLACE: Words = {
    "WAREHOUSE": "Warehouse",
    "STORE": "Store",
    "RETURNS": "Returns desk",
    "REPAIR": "Repair shop",
    "CUSTOMER": "With the customer",
    "IN_TRANSIT": "Between two sites",
    "SUPPLIER": "At the supplier",
}
WARRANTY: Words = {
    "COVERED": "Covered",
    "EXPIRED": "Expired",
    "NOT_COVERED": "Not covered",
    "UNKNOWN": "Unknown",
    "INVALID": "Serial not valid there",
}
ORDER: Words = {
    "DRAFT": "Not placed",
    "PENDING": "Pending",
    "OPEN": "Open",
    "FULFILLED": "Fulfilled",
    "CANCELLED": "Cancelled",
}
ORDER_HOLD: Words = {
    "PAYMENT_PENDING": "Not paid",
    "ON_HOLD": "On hold",
    "FRAUD_REVIEW": "Fraud review",
    "CANCELLATION_REQUESTED": "Buyer asks to cancel",
    "REFUNDED": "Refunded",
}
SEVERITY: Words = {"LOW": "Low", "MEDIUM": "Medium", "HIGH": "High"}
CASE_KIND: Words = {
    "OVERSOLD": "Oversold",
    "UNMAPPED_LISTING": "Unmapped listing",
    "UNKNOWN_SERIAL": "Unknown serial",
    "WRONG_STATUS": "Wrong status",
    "MISSING_CAPTURE": "Serial not captured",
    "SYNC_FAILURE": "Sync failure",
    "AUTHENTICATION": "Credentials refused",
    "DISAGREEMENT": "Disagreement",
    "LEDGER_BROKEN": "Ledger broken",
    "FAILED_CAPTURE": "Capture failed",
    "DELIVERY_VARIANCE": "Delivery differs",
    "MISSING_UNIT": "Unit missing",
    "PRODUCT_MISMATCH": "Wrong product",
    "WRONG_LOCATION": "Wrong place",
    "DUPLICATE_SERIAL": "Serial used twice",
    "SUSPECT_RETURN": "Suspect return",
    "CHANNEL_DOWN": "Channel does not answer",
    "SHIPPED_TOO_MANY": "Shipped too many",
    "ORDER_ON_HOLD": "Order on hold",
    "DUPLICATE_ORDER": "Order came in twice",
    "SUBSTITUTION": "Another product sent",
    "RETURN_NOT_SCANNED": "Return not scanned",
    "UNMATCHED_RETURN": "Return of nothing known",
    "DOUBLE_REFUND": "Refunded twice",
    "REFUND_REFUSED": "Refund not paid",
    "MISSING_RECORD": "Missing record",
    "UNREADABLE_RECORD": "Record not readable",
    "UNREACHABLE_CUSTOMER": "Customer not reached",
    "API_RETIRING": "API is retired soon",
    "UNUSABLE_RULE": "Rule for serials cannot be matched",
    "PRIVACY_REQUEST": "Privacy request",
    "WEBHOOK_FAILING": "Webhooks not taken",
    "SERVICE_LEVEL": "Promise broken",
}
CASE_STATE: Words = {"open": "Open", "assigned": "Assigned", "resolved": "Resolved"}
SCOPE: Words = {
    "LEVELS": "Stock levels",
    "ORDERS": "Orders",
    "SHIPMENTS": "Serials of shipments",
    "RETURNS": "Returns",
    "WARRANTIES": "Warranties",
    "LEDGER": "The ledger itself",
}
TRACKING: Words = {
    "NONE": "Quantities only",
    "LOT": "By lot",
    "SERIAL": "By serial",
    "SERIAL_LOT": "By serial and lot",
}
MEASURE: Words = {
    "DETECT": "Detected within",
    "HEAL": "Ended within",
    "UNATTENDED": "Healed without a person",
}
RUN_STATE: Words = {"running": "Running", "finished": "Finished", "failed": "Failed"}
DIFFERENCE: Words = {
    "QUANTITY": "Quantity differs",
    "UNBOUND_LISTING": "Listing not bound",
    "UNKNOWN_LISTING": "Unknown listing",
    "DUPLICATE_LISTING": "SKU listed several times",
    "MISSING_LISTING": "Listing missing there",
    "LISTING_REPLACED": "Listing made anew there",
    "LISTING_RENAMED": "SKU changed there",
    "MISSING_ORDER": "Order missing here",
    "ORDER_STATE": "Order changed there",
    "MISSING_FULFILLMENT": "Fulfillment missing there",
    "FOREIGN_FULFILLMENT": "Fulfilled there, not here",
    "UNKNOWN_ORDER": "Order gone there",
    "MISSING_SERIALS": "Serials missing there",
    "FOREIGN_SERIALS": "Foreign serials there",
    "SWAPPED_SERIALS": "Serials swapped there",
    "SERIAL_ON_TWO_ORDERS": "Serial on two orders there",
    "MISSING_RETURN": "Return missing here",
    "UNKNOWN_RETURN": "Return gone there",
    "RETURN_STATE": "Return changed there",
    "MISSING_REGISTRATION": "Sale not registered",
    "UNKNOWN_SERIAL": "Serial unknown to the maker",
    "WARRANTY_DATES": "Warranty dates differ",
    "WARRANTY_PRODUCT": "Other product at the maker",
    "FOREIGN_REGISTRATION": "Registered to somebody else",
    "LEDGER_SEAL": "Changed after it was sealed",
    "LEDGER_BALANCE": "Does not add up",
    "LEDGER_FORMAT": "Serial breaks its rule",
    "LEDGER_DUPLICATE": "Two serials look alike",
    "LEDGER_ORPHAN": "Receipt not recorded",
}
CAUSE: Words = {
    "FOREIGN_EDIT": "Somebody edited it on the channel",
    "CHANNEL_SALE": "The channel deducted its own orders",
    "CHANNEL_RESTOCK": "The channel put units on sale again by itself",
    "REMOVED_THERE": "It was there before and was removed",
    "LOST_WEBHOOK": "The channel's webhook never arrived",
    "MISSED_ORDER": "The change was never taken in",
    "FAILED_PUSH": "The channel refused what we sent",
    "UNPUSHED_CHANGE": "Our change has not reached the channel",
    "CORRECTED_HERE": "It was corrected here after the channel had it",
    "MAPPING_GAP": "The listing is not bound to a product",
    "UNKNOWN_SERIAL": "The manufacturer does not know the serial",
    "UNEXPLAINED": "No cause could be proved",
}
FIX: Words = {
    "PUSH_LEVEL": "Send our quantity again",
    "BIND_NEAR_MATCH": "Bind the listing to our product of nearly the same SKU",
    "BIND_LISTING": "Bind the listing to our product",
    "REBIND_LISTING": "Bind our listing to the new one there",
    "RENAME_LISTING": "Use the new SKU for our listing",
    "SELL_ON_ONE": "Bind this copy and show 0 on it",
    "SHARE_FIGURE": "Bind this copy and divide our figure among all copies",
    "UNBIND_LISTING": "End the binding of our listing",
    "ACCEPT_ORDER": "Read the order again and take it in",
    "ACCEPT_RETURN": "Read the return again and take it in",
    "CANCEL_ORDER": "Cancel the order here",
    "PUSH_FULFILLMENT": "Tell the channel again what left",
    "REGISTER_AGAIN": "Register the sale again",
    "ASK": "A person has to decide",
}
DIFFERENCE_STATE: Words = {
    "OPEN": "Open",
    "HEALING": "Healing",
    "HEALED": "Healed",
    "CLOSED": "Closed",
    "DISMISSED": "Dismissed",
    "SUPERSEDED": "Superseded",
}
WEBHOOK: Words = {"ACTIVE": "Told", "DISABLED": "Disabled", "DELETED": "Deleted"}
DELIVERY: Words = {"waiting": "Waiting", "delivered": "Delivered", "given_up": "Given up"}
DOCUMENT: Words = {
    "po": "Purchase order",
    "desadv": "Despatch advice",
    "recadv": "Receiving advice",
    "inv": "Order",
    "rma": "Return",
}
# Both sides have names of their own for some of what they claim.
CLAIM: Words = {
    "left": "Units that left",
    "fulfilled": "Units that left",
    "product": "Name",
    "title": "Name",
    "ref": "Reference",
    "placed_at": "Placed",
    "acknowledged": "Last accepted",
    "lines": "Ordered",
    "sku": "SKU",
    "remote": "Their",
}
VOCABULARIES: Mapping[str, Words] = {
    "status": STATUS,
    "happened": HAPPENED,
    "action": ACTION,
    "disposition": DISPOSITION,
    "hold": HOLD,
    "capture": CAPTURE,
    "place": PLACE,
    "warranty": WARRANTY,
    "order": ORDER,
    "order_hold": ORDER_HOLD,
    "severity": SEVERITY,
    "case_kind": CASE_KIND,
    "case_state": CASE_STATE,
    "scope": SCOPE,
    "run_state": RUN_STATE,
    "tracking": TRACKING,
    "measure": MEASURE,
    "difference": DIFFERENCE,
    "cause": CAUSE,
    "fix": FIX,
    "difference_state": DIFFERENCE_STATE,
    "document": DOCUMENT,
    "webhook": WEBHOOK,
    "delivery": DELIVERY,
    "claim": CLAIM,
}

# How serious a value is; what is not named here is neutral.
TONES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "happened": {
        "ok": ("PUT_AWAY", "TRANSFER_IN", "UNBLOCK", "RESTOCK", "FIND", "COUNT"),
        "info": (
            "RECEIVE", "ALLOCATE", "PICK", "PACK", "SHIP", "SELL", "COLLECT", "TRANSFER_OUT",
            "COMMISSION", "HAND_BACK",
        ),
        "attention": (
            "HOLD", "ACCEPT_RETURN", "REPAIR", "QUARANTINE", "CORRECT", "TAKE_IN", "RELOCATE",
        ),
        "danger": ("CONDEMN", "WRITE_OFF", "LOSE", "REPORT_STOLEN"),
    },
    "status": {
        "ok": ("IN_STOCK",),
        "info": ("RECEIVED", "PICKED", "PACKED", "SHIPPED", "SOLD", "IN_TRANSFER", "IN_KIT"),
        "attention": ("EXPECTED", "RETURNED", "IN_REPAIR"),
        "danger": ("CONDEMNED", "MISSING", "STOLEN"),
    },
    "hold": {"info": ("SALE",), "attention": ("QUALITY",), "danger": ("RECALL", "FRAUD")},
    "warranty": {
        "ok": ("COVERED",),
        "attention": ("EXPIRED", "NOT_COVERED"),
        "danger": ("INVALID",),
    },
    "order": {"info": ("OPEN",), "ok": ("FULFILLED",), "attention": ("PENDING",)},
    "order_hold": {
        "attention": ("PAYMENT_PENDING", "ON_HOLD"),
        "danger": ("FRAUD_REVIEW", "CANCELLATION_REQUESTED", "REFUNDED"),
    },
    "severity": {"danger": ("HIGH",), "attention": ("MEDIUM",)},
    "case_state": {"attention": ("open",), "info": ("assigned",), "ok": ("resolved",)},
    "run_state": {"info": ("running",), "ok": ("finished",), "danger": ("failed",)},
    "webhook": {"ok": ("ACTIVE",), "danger": ("DISABLED",)},
    "delivery": {"info": ("waiting",), "ok": ("delivered",), "danger": ("given_up",)},
    "difference_state": {
        "attention": ("OPEN",),
        "info": ("HEALING",),
        "ok": ("HEALED", "CLOSED"),
    },
}  # fmt: skip


def humane(value: object) -> str:
    """Turn a name of the API into words: ``push_level`` and ``safetyBuffer`` into plain ones."""
    spaced = "".join(f" {each}" if each.isupper() else each for each in str(value))
    text = (spaced if not str(value).isupper() else str(value).lower()).replace("_", " ")
    return " ".join(text.split()).lower().capitalize()


def word(vocabulary: str, value: str) -> str:
    """Return what people call a value; a value that is new is shown in its own letters."""
    return VOCABULARIES[vocabulary].get(value) or humane(value)


def tone(vocabulary: str, value: str) -> str:
    """Return how serious a value is: ok, info, attention, danger, or neutral."""
    tones = TONES.get(vocabulary, {})
    return next((name for name, values in tones.items() if value in values), "neutral")


def number(value: float) -> str:
    """Write a count with its thousands apart."""
    return f"{value:,}"


def age(seconds: float) -> str:
    """Say how long something took or is ago, in one unit."""
    if seconds < 1:
        return "0 s"
    for limit, size, unit in ((60, 1, "s"), (3_600, 60, "min"), (48 * 3_600, 3_600, "h")):
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} days"


def moment(text: str) -> datetime:
    """Read a time or a day of the API."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def exact(text: str) -> str:
    """Write a time of the API to the second, in UTC."""
    return moment(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(started: str, finished: str) -> str:
    """Say how long something took."""
    seconds = (moment(finished) - moment(started)).total_seconds()
    return f"{max(0, round(seconds * 1000))} ms" if seconds < 1 else age(seconds)
