"""The rules that the ledger asks before it records an action, in their order."""

from hub.ledger.rules.availability import AvailabilityRule
from hub.ledger.rules.capture import CaptureRule
from hub.ledger.rules.client import ClientRule
from hub.ledger.rules.key import KeyRule
from hub.ledger.rules.kit import KitRule
from hub.ledger.rules.order import OrderRule
from hub.ledger.rules.recall import RecallRule
from hub.ledger.rules.rule import Attempt, Rule

# The first refusal is the unit's. What a key may not act on is not explained further; then what the
# order wants comes first, as people fix that first.
RULES: tuple[type[Rule], ...] = (
    KeyRule,
    OrderRule,
    CaptureRule,
    KitRule,
    RecallRule,
    ClientRule,
    AvailabilityRule,
)

__all__ = ["RULES", "Attempt", "Rule"]
