"""Merkle trees: one digest for many, and a short proof that one of them was among them.

Leaves and nodes are hashed with different first bytes (RFC 6962, section 2.1), so that a node can
never pass for a leaf. An odd node at the end of a level moves up unchanged.
"""

import hashlib
from collections.abc import Sequence

Step = tuple[str, str]  # "left" or "right", and the neighbour's digest there


def _leaf(value: str) -> bytes:
    try:
        content = bytes.fromhex(value)
    except ValueError:  # a stored digest that was changed: it is found out, and stops no other
        content = value.encode()
    return hashlib.sha256(b"\x00" + content).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(values: Sequence[str]) -> str:
    """Return the root of hexadecimal digests, in their order; there must be one at least."""
    level = [_leaf(value) for value in values]
    while len(level) > 1:
        level = _up(level)
    return level[0].hex()


def path(values: Sequence[str], index: int) -> list[Step]:
    """Return the neighbours that lead from one of the digests to the root."""
    level, steps = [_leaf(value) for value in values], []
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):
            steps.append(("left" if neighbour < index else "right", level[neighbour].hex()))
        level, index = _up(level), index // 2
    return steps


def climb(value: str, steps: Sequence[Step]) -> str:
    """Return the root that a digest and its neighbours lead to."""
    here = _leaf(value)
    for side, digest in steps:
        other = bytes.fromhex(digest)
        here = _node(other, here) if side == "left" else _node(here, other)
    return here.hex()


def _up(level: list[bytes]) -> list[bytes]:
    above = [_node(*level[place : place + 2]) for place in range(0, len(level) - 1, 2)]
    return above + level[len(level) & ~1 :]
