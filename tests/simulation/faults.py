"""What goes wrong, drawn by the seed: each schedule has its own few kinds of trouble.

Not every schedule has every fault (swarm testing): what only shows while something else works is
found too. What happened is counted.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

# Kinds of trouble, each with the highest chance for one occasion that a schedule may draw.
CHANCES: Final = {
    # of a process, at each await of the database or the wire
    "crash": 0.006,
    "stall": 0.004,
    "again": 0.05,  # a transaction that lost a race and is run from its beginning
    # of a call to a channel
    "slow": 0.02,
    "server_error": 0.15,
    "timeout_before": 0.10,
    "timeout_after": 0.15,
    "late_effect": 0.06,
    "partial": 0.15,
    "drift": 0.05,
    "odd_record": 0.08,
    # of a webhook
    "webhook_lost": 0.5,
    "webhook_twice": 0.4,
    "webhook_late": 0.5,
    "webhook_storm": 0.2,
    # of an account: it lists and announces the orders of its other channel too
    "other_channel": 0.3,
}
# Kinds of trouble that come to a channel at some moments of a schedule, and how many at most.
STORMS: Final = {"throttled": 3, "token_expired": 2, "foreign_edit": 4}
CALM_SHARE = 0.45  # of the kinds in one schedule


@dataclass
class Faults:
    """The trouble of one schedule; `stop` ends all of it."""

    random: random.Random
    on: bool = True
    chances: dict[str, float] = field(default_factory=dict)
    storms: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for kind, most in CHANCES.items():
            calm = self.random.random() < CALM_SHARE
            self.chances[kind] = 0.0 if calm else most * self.random.uniform(0.2, 1.0)
        for kind, most in STORMS.items():
            calm = self.random.random() < CALM_SHARE
            self.storms[kind] = 0 if calm else self.random.randint(1, most)

    def hits(self, kind: str) -> bool:
        """Say whether this fault happens now."""
        hit = self.random.random() < self.chances[kind]
        if not (hit and self.on):
            return False
        self.counts[kind] += 1
        return True

    def happened(self, kind: str) -> None:
        """Count what was decided elsewhere."""
        self.counts[kind] += 1

    def stop(self) -> None:
        """End all trouble: from here on everything works."""
        self.on = False
