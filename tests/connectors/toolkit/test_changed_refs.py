"""What differs from the last look is read again, a few at a time, and nothing twice."""

import json

from connectors.toolkit.cursors import ChangedRefs


def restored(changed: ChangedRefs) -> ChangedRefs:
    return ChangedRefs.restore(json.loads(json.dumps(changed.stored())))


def test_new_changed_and_vanished_entries_are_to_be_read_once() -> None:
    first = ChangedRefs.restore({}).compare({"A": ["open"], "B": ["open"], "C": ["open"]})
    taken, rest = first.take(2)
    assert (taken, rest.waiting) == (("A", "B"), ("C",))
    again = restored(rest).compare({"A": ["open"], "B": ["closed"]})
    assert again.waiting == ("C", "B")  # C waited already, and is gone
    assert restored(again.take(9)[1]).compare({"A": ["open"], "B": ["closed"]}).waiting == ()


def test_states_are_compared_as_a_whole_and_never_kept() -> None:
    seen = ChangedRefs().compare({"A": [("secret", 1), ("secret", 2)]})
    assert "secret" not in json.dumps(seen.stored())
    assert seen.take(1)[1].compare({"A": [("secret", 2), ("secret", 1)]}).waiting == ("A",)
