"""Find what changed in a list that names no time of change: by what was seen of it last.

The states of all entries are compared with those that the cursor remembers. What differs, is new or
is no longer in the list is to be read again, a few at a time. Only a digest of each state is kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRefs:
    """The digests of the states seen last, by reference, and the references still to be read."""

    seen: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> "ChangedRefs":
        """Restore what `stored` wrote into a cursor."""
        return cls(seen=stored.get("seen") or {}, waiting=tuple(stored.get("waiting") or ()))

    def compare(self, states: Mapping[str, Sequence[object]]) -> "ChangedRefs":
        """Return what is to be read after a look at the whole list: its states by reference."""
        now = {ref: _digest(state) for ref, state in states.items()}
        changed = [ref for ref, digest in now.items() if self.seen.get(ref) != digest]
        gone = [ref for ref in self.seen if ref not in now]
        return ChangedRefs(seen=now, waiting=tuple(dict.fromkeys((*self.waiting, *changed, *gone))))

    def take(self, most: int) -> tuple[tuple[str, ...], "ChangedRefs"]:
        """Return the next references to read, at most `most`, and what waits after them."""
        return self.waiting[:most], replace(self, waiting=self.waiting[most:])

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values, to be a part of a cursor."""
        return {"seen": dict(self.seen), "waiting": list(self.waiting)}


def _digest(state: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:DIGEST_CHARS]
