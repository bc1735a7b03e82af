"""Business steps and dispositions of the GS1 Core Business Vocabulary (2.0), unless marked."""

from enum import StrEnum


class BizStep(StrEnum):
    """What was done to a unit (GS1 CBV business step, unless marked as a house word)."""

    COMMISSIONING = "commissioning"  # the serial was put on the unit; its record is commission
    RECEIVING = "receiving"  # a receipt; also a transfer or a return that arrives
    STORING = "storing"  # putaway, or a move to another bin
    ALLOCATING = "allocating"  # house word: promised to an order line (CBV `reserving` differs)
    RELEASING = "releasing"  # house word: the promise or the block is taken back
    HOLDING = "holding"  # quality, recall, fraud
    PICKING = "picking"
    PACKING = "packing"
    SHIPPING = "shipping"  # to a customer; also a transfer that leaves
    RETAIL_SELLING = "retail_selling"  # sold over a counter
    INSPECTING = "inspecting"  # a returned unit is graded and its disposition decided
    REPAIRING = "repairing"
    DESTROYING = "destroying"  # written off
    ACCEPTING = "accepting"  # the owner changes
    ASSEMBLING = "assembling"  # a unit becomes part of a kit
    DISASSEMBLING = "disassembling"
    CYCLE_COUNTING = "cycle_counting"  # a count: seen, missed, found
    DECOMMISSIONING = "decommissioning"  # a record ends: the unit goes on under another one
    INSTALLING = "installing"  # taken into use: its warranty may start
    SENSOR_REPORTING = "sensor_reporting"
    ANNOTATING = "annotating"  # house word: something is linked to the unit, its state stays


class Disposition(StrEnum):
    """What a unit is after the step (GS1 CBV disposition)."""

    ACTIVE = "active"  # commissioned, not yet received
    INACTIVE = "inactive"  # decommissioned: a record that was merged into another
    IN_PROGRESS = "in_progress"  # received, picked or packed: on its way through the building
    SELLABLE_NOT_ACCESSIBLE = "sellable_not_accessible"  # in the warehouse or the back room
    SELLABLE_ACCESSIBLE = "sellable_accessible"  # on the shelf of a shop
    NON_SELLABLE_OTHER = "non_sellable_other"  # blocked
    IN_TRANSIT = "in_transit"
    RETAIL_SOLD = "retail_sold"
    RETURNED = "returned"
    DAMAGED = "damaged"
    RECALLED = "recalled"
    DESTROYED = "destroyed"
    UNKNOWN = "unknown"  # missing: nobody knows where it is
    STOLEN = "stolen"
    UNAVAILABLE = "unavailable"  # part of a kit: it goes where the kit goes


SELLABLE = frozenset({Disposition.SELLABLE_ACCESSIBLE, Disposition.SELLABLE_NOT_ACCESSIBLE})


class CaptureMethod(StrEnum):
    """How the serial reached the ledger."""

    SCAN = "scan"
    MANUAL = "manual"
    IMPORT = "import"
    API = "api"
    RFID = "rfid"
