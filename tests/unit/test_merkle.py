"""Merkle trees against the vectors of Certificate Transparency (transparency-dev/merkle)."""

import hashlib

import pytest

from datamall.mall.log.merkle import (
    Tree,
    consistency,
    extends,
    includes,
    inclusion,
    leaf_hash,
    root,
)

ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
ENTRIES += ["606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
# (index from 0, size of the tree, path)
INCLUSION = [
    (0, 1, []),
    (0, 8, [A, B, C]),
    (5, 8, [D, E, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], B, D]),
]
# (size of the old tree, of the new one, proof)
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [A, B, C]),
    (6, 8, [F, E, ROOTS[4]]),
    (2, 5, [B, D]),
]
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]
MORE = [leaf_hash(bytes([number])) for number in range(37)]
OTHER = hashlib.sha256(b"another").digest()


@pytest.mark.parametrize("size", range(9))
def test_heads_are_the_published_ones(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_audit_paths_are_the_published_ones(index: int, size: int, path: list[str]) -> None:
    assert [step.hex() for step in inclusion(LEAVES[:size], index)] == path


@pytest.mark.parametrize(("old", "size", "proof"), CONSISTENCY)
def test_proofs_of_consistency_are_the_published_ones(
    old: int, size: int, proof: list[str]
) -> None:
    assert [step.hex() for step in consistency(LEAVES[:size], old)] == proof


def test_what_is_kept_of_a_tree_is_one_hash_for_each_1_of_its_size() -> None:
    tree = Tree()
    for size, leaf in enumerate(MORE):
        assert tree.root == root(MORE[:size])
        assert len(tree.peaks) == size.bit_count()
        tree = tree.add(leaf)


def test_a_leaf_is_shown_to_be_in_its_place_and_nothing_else_is() -> None:
    for size in range(1, len(MORE) + 1):
        head = root(MORE[:size])
        for index in range(size):
            proof = inclusion(MORE[:size], index)
            assert includes(head, size, MORE[index], index, proof)
            wrong = [
                (head, size, OTHER, index, proof),
                (OTHER, size, MORE[index], index, proof),
                (head, size, MORE[index], index ^ 1, proof),
                (head, size, MORE[index], size, proof),
                (head, size, MORE[index], -1, proof),
                (head, size * 2, MORE[index], index, proof),
                (head, size, MORE[index], index, [*proof, head]),
                (head, size, MORE[index], index, [b"", *proof]),
                (head, size, MORE[index], index, [head, *proof]),
            ]
            wrong += [
                (head, size, MORE[index], index, [*proof[:at], OTHER, *proof[at + 1 :]])
                for at in range(len(proof))
            ]
            wrong += [(head, size, MORE[index], index, proof[:-1])] if proof else []
            assert not any(includes(*case) for case in wrong)


def test_a_tree_is_shown_to_begin_as_another_ended_and_nothing_else_is() -> None:
    for size in range(1, len(MORE) + 1):
        new = root(MORE[:size])
        for before in range(1, size + 1):
            old, proof = root(MORE[:before]), consistency(MORE[:size], before)
            assert extends(old, before, new, size, proof)
            wrong = [
                (OTHER, before, new, size, proof),
                (old, before, OTHER, size, proof),
                (old, before - 1, new, size, proof),
                (old, before + 1, new, size, proof),
                (old, size + 1, new, size, proof),
                (old, before, new, size * 2, proof),
                (old, before, new, size, [*proof, old]),
                (old, before, new, size, [b"", *proof]),
                (old, before, new, size, [old, *proof]),
            ]
            if before < size:
                wrong += [(new, before, old, size, proof), (old, before, new, size, [])]
            wrong += [(old, before, new, size, proof[:-1])] if proof else []
            wrong += [
                (old, before, new, size, [*proof[:at], OTHER, *proof[at + 1 :]])
                for at in range(len(proof))
            ]
            assert not any(extends(*case) for case in wrong)


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_proof_of_what_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion(LEAVES, index)
    with pytest.raises(IndexError):
        consistency(LEAVES, index + 1)
