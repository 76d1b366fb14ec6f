"""Merkle trees as in RFC 6962 (Certificate Transparency), SHA-256: heads, proofs, their checks.

Leaves and nodes are hashed with a byte of their own before them, so that neither passes for the
other. The left part of a tree is the largest whole one: what was reckoned of it stays as it is
when leaves are added, and so a proof of a few hashes shows that a leaf is in a tree, or that one
tree begins as another ended.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Tree:
    """What has to be kept of a tree to add to it.

    Attributes
    ----------
    size
        Number of leaves.
    peaks
        Heads of the whole trees that it consists of, the largest first: one for each 1 in the
        binary size.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def add(self, leaf: bytes) -> "Tree":
        """Return the tree with one more leaf, given by its hash."""
        peaks, number = [*self.peaks, leaf], self.size
        while number & 1:
            right = peaks.pop()
            peaks.append(_node(peaks.pop(), right))
            number >>= 1
        return Tree(self.size + 1, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The head of the tree, 32 bytes (RFC 6962, 2.1)."""
        if not self.peaks:
            return EMPTY
        *rest, root = self.peaks
        for peak in reversed(rest):
            root = _node(peak, root)
        return root


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the head of the tree over hashes of leaves."""
    tree = Tree()
    for leaf in leaves:
        tree = tree.add(leaf)
    return tree.root


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of a leaf, from the leaf up (RFC 6962, 2.1.1).

    Raises
    ------
    IndexError
        When there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    half = _left(len(leaves))
    if index < half:
        return [*inclusion(leaves[:half], index), root(leaves[half:])]
    return [*inclusion(leaves[half:], index - half), root(leaves[:half])]


def consistency(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Return the proof that a tree begins with the first `size` leaves (RFC 6962, 2.1.2).

    Raises
    ------
    IndexError
        When there are not that many leaves, or none are asked for.
    """
    if not 0 < size <= len(leaves):
        raise IndexError(size)
    return _subproof(leaves, size, known=True)


def _subproof(leaves: Sequence[bytes], size: int, known: bool) -> list[bytes]:
    """Return SUBPROOF of the RFC; `known`: whoever checks it has the head of these leaves."""
    if size == len(leaves):
        return [] if known else [root(leaves)]
    half = _left(len(leaves))
    if size <= half:
        return [*_subproof(leaves[:half], size, known), root(leaves[half:])]
    return [*_subproof(leaves[half:], size - half, False), root(leaves[:half])]


def _left(size: int) -> int:
    """Return how many leaves the left part has: the largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def includes(head: bytes, size: int, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that a leaf is in a tree (RFC 9162, 2.1.3.2).

    Parameters
    ----------
    head, size
        Of the tree.
    leaf, index
        Hash of the leaf, and its place from 0 on.
    proof
        As `inclusion` gives it.
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for other in proof:
        if last == 0 or len(other) != len(EMPTY):
            return False
        if place & 1 or place == last:
            found = _node(other, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = _node(found, other)
        place, last = place >> 1, last >> 1
    return last == 0 and found == head


def extends(old: bytes, old_size: int, new: bytes, size: int, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that one tree begins as another ended (RFC 9162, 2.1.4.2).

    Parameters
    ----------
    old, old_size, new, size
        Heads and sizes of the two trees.
    proof
        As `consistency` gives it.
    """
    if not 0 < old_size <= size or any(len(other) != len(EMPTY) for other in proof):
        return False
    if old_size == size:
        return not proof and old == new
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # a whole tree: whoever checks has its head
        path.insert(0, old)
    if not path:
        return False
    place, last = old_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now = _node(other, was), _node(other, now)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            now = _node(now, other)
        place, last = place >> 1, last >> 1
    return last == 0 and was == old and now == new
