"""Contracts as they were accepted: none becomes less strict by an edit.

What a contract demands (`datamall.mall.strictness`) is signed for each version of it, in
``data/contracts/<department>/accepted/<store>-<version>.json``, and what a store was taken in under
stands in the log of use. A contract that demands less than either needs a higher version, a reason
and the signatures of the steward and the committee; until then nothing is taken in or handed out
under it. To demand more needs neither, and a new contract nothing but its first intake.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamall.errors import DatamallError
from datamall.identifiers import sentence
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.seal import keys, signatures
from datamall.mall.seal.envelope import statement
from datamall.mall.strictness import Terms, digest, looser, terms

EVENT = "contract"
OWN = "own "  # before the roles of the authority, beside those of invented data
KIND = "urn:datamall:contract"
VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}")


@dataclass(frozen=True)
class Record:
    """A version of a contract as it was accepted.

    Attributes
    ----------
    path
        The envelope.
    version, demanded, reason
        Version, terms, and why they are less strict than before; empty where they are not.
    signed
        Its statement and signatures, of the authority in question or of invented data.
    """

    path: Path
    version: str
    demanded: Terms
    reason: str
    signed: signatures.Signed


def check(root: Path, mapping: Authority, contract: Contract, *, by_log: bool = False) -> None:
    """Refuse a contract that is less strict than it was and not accepted as that.

    Parameters
    ----------
    root, mapping, contract
        Project folder, authority and the contract as it is now.
    by_log
        Whether the log of use is read, too: what the store was taken in under before, and that two
        people signed. The door does without, since it hands out only what was taken in under the
        contract of now (`taken_in_under`).

    Raises
    ------
    Refused
        ``contract-looser``; ``contract-altered`` where a record is not as it was signed; and those
        of `datamall.mall.seal.signatures.by_two`.
    """
    now = terms(contract)
    found = records(root, mapping, contract.name)
    _check_chain(root, mapping, found, by_log)
    if found:
        _refuse(contract, found[-1].version, looser(found[-1].demanded, now))
    if not by_log:
        return
    last = _last_taken_in(root, mapping, contract)
    if last is None or not (less := looser(last[1], now)):
        return
    accepted = found and found[-1].demanded == now and found[-1].version == contract.version
    if not accepted or _number(contract.version) <= _number(last[0]):
        _refuse(contract, last[0], less)
    _by_two(root, mapping, found[-1], by_log)


def taken_in_under(manifest: Mapping[str, Any], contract: Contract) -> bool:
    """Return whether a store was taken in under a contract as it is now."""
    return bool(manifest["contract"] == written(contract))


def written(contract: Contract) -> dict[str, str]:
    """Return what a store's manifest says of its contract: name, version, and digest of terms."""
    return {
        "name": contract.name,
        "version": contract.version,
        "terms": digest(terms(contract)),
    }


def keep(root: Path, contract: Contract) -> str:
    """Keep the terms beside the log, for the next intake to compare; return their digest."""
    demanded = terms(contract)
    path = _kept(root, digest(demanded))
    if not path.is_file():
        logbook.put(path, json.dumps(demanded, sort_keys=True, ensure_ascii=False).encode())
    return digest(demanded)


def records(root: Path, mapping: Authority, store: str) -> list[Record]:
    """Return the accepted versions of a contract, the highest last.

    Raises
    ------
    Refused
        ``contract-altered``.
    """
    known = _known(root, mapping)
    found = []
    for path in _folder(root, store).glob(f"{store.split('.')[1]}-*.json"):
        place = path.relative_to(root).as_posix()
        try:
            signed = signatures.read(path, known, place)
            about = signed.content["predicate"]
            record = Record(path, about["version"], about["terms"], about["reason"], signed)
            whole = (
                signed.content["predicateType"] == KIND
                and record.demanded["store"] == store
                and path == _file(root, store, record.version)
            )
        except Refused as error:
            raise Refused("contract-altered", error.sentence) from None
        except (KeyError, TypeError):
            whole = False
        if not whole:
            raise Refused("contract-altered", f"{place} is the record of something else.")
        found.append(record)
    return sorted(found, key=lambda record: _number(record.version))


def accept(root: Path, mapping: Authority, contract: Contract, role: str, reason: str) -> list[str]:
    """Sign the contract as it is now, beside who did; return in what it is less strict.

    Parameters
    ----------
    root, mapping, contract
        Project folder, authority and the contract as it is now.
    role
        Who signs; ``steward`` and ``committee`` both have to where it is less strict.
    reason
        Why it is less strict, from whoever signs first.

    Raises
    ------
    DatamallError
        When the version is not higher or no reason is given although it is less strict; when the
        version was accepted with other terms, its record is gone, or the role has no key.
    """
    found, now = records(root, mapping, contract.name), terms(contract)
    less: list[str] = []
    for version, before in _before(root, mapping, contract, found):
        if less := looser(before, now):
            if _number(contract.version) <= _number(version):
                raise Refused(
                    "contract-looser",
                    f"{contract.name}: {less[0]}. Give the contract a version above {version}.",
                )
            break
    record = next((one for one in found if one.version == contract.version), None)
    if record is None and less and not reason.strip():
        raise DatamallError(f"{contract.name}: {less[0]}. Say why: --reason.")
    if record is not None and record.demanded != now:
        raise DatamallError(
            f"Version {contract.version} of {contract.name} was accepted with other terms: raise "
            "the version."
        )
    about = {
        "store": contract.name,
        "version": contract.version,
        "terms": now,
        "less_strict": less,
        "reason": sentence(reason, "the reason") if less and record is None else "",
    }
    subject = {f"terms of {contract.name} {contract.version}": digest(now)}
    content = record.signed.content if record else statement(subject, KIND, about)
    path = _file(root, contract.name, contract.version)
    signatures.sign(
        *(root, mapping, path, content, role, EVENT),
        store=contract.name,
        version=contract.version,
        less_strict=len(less),
    )
    return less


def verify(root: Path, mapping: Authority) -> int:
    """Check the accepted contracts of an authority's stores; return how many records there are.

    Raises
    ------
    DatamallError
        At the first that is altered, gone, or lacks a signature.
    """
    there = set()
    for store in mapping.stores:
        found = records(root, mapping, store)
        _check_chain(root, mapping, found, True)
        there |= {record.signed.digest for record in found}
    for entry in logbook.read(root):
        said = entry.said
        own = (said["event"], said.get("authority")) == (EVENT, mapping.authority)
        if own and "signed" in said and said["store"] in mapping.stores:
            if said["signed"] in there:
                continue
            raise DatamallError(
                f"The record of version {said['version']} of the contract {said['store']} is "
                "gone: the log of use says that it was signed. Restore it from git."
            )
    return len(there)


def _refuse(contract: Contract, version: str, less: list[str]) -> None:
    if less:
        raise Refused(
            "contract-looser",
            f"The contract {contract.name} is less strict than its version {version}: {less[0]}. "
            "Undo that, or give it a higher version, a reason and two signatures: `datamall "
            f"contract {contract.name} --by ROLE --reason WHY`.",
        )


def _check_chain(root: Path, mapping: Authority, found: list[Record], by_log: bool) -> None:
    """Check that each version that is less strict than the one before it has two signatures."""
    for before, after in pairwise(found):
        if looser(before.demanded, after.demanded):
            _by_two(root, mapping, after, by_log)


def _by_two(root: Path, mapping: Authority, record: Record, by_log: bool) -> None:
    """Check that the authority's own steward and committee signed a record."""
    names = [name for name in record.signed.roles if name.startswith(OWN)]
    signed = {name.removeprefix(OWN): record.signed.roles[name] for name in names}
    about = signatures.Signed(record.signed.content, record.signed.digest, signed)
    try:
        if by_log and not mapping.synthetic:
            signatures.by_two(root, mapping, about, EVENT)
        else:
            signatures.both_roles(about)
    except Refused as error:
        raise Refused(
            error.code,
            f"Version {record.version} of the contract {record.demanded['store']} is less strict "
            f"than the one before. {error.sentence}",
        ) from None


def _known(root: Path, mapping: Authority) -> dict[str, Ed25519PublicKey]:
    """Return the authority's own keys, and those with which the project's contracts came."""
    own = {f"{OWN}{role}": key for role, key in keys.public(root, mapping).items()}
    return own | {f"invented {role}": keys.invented(role).public_key() for role in keys.INVENTED}


def _before(
    root: Path, mapping: Authority, contract: Contract, found: list[Record]
) -> list[tuple[str, Terms]]:
    """Return versions and terms that a contract is compared with when it is signed."""
    before = [(one.version, one.demanded) for one in found if one.version != contract.version]
    last = _last_taken_in(root, mapping, contract)
    return before[-1:] + ([last] if last else [])


def _last_taken_in(root: Path, mapping: Authority, contract: Contract) -> tuple[str, Terms] | None:
    """Return version and terms under which a store was last taken in, as the log has it."""
    found = None
    for entry in logbook.read(root):
        said = entry.said
        about = (said["event"], said.get("authority"), said.get("store"))
        if about == ("intake", mapping.authority, contract.name) and "terms" in said:
            found = said
    if found is None:
        return None
    try:
        demanded = json.loads(_kept(root, found["terms"]).read_bytes())
        whole = digest(demanded) == found["terms"]
    except (OSError, ValueError):
        whole = False
    if not whole:
        if found["terms"] == digest(terms(contract)):
            return found["contract"], terms(contract)
        raise Refused(
            "contract-altered",
            f"What the contract {contract.name} demanded when it was last taken in is gone from "
            "beside the log of use, or was altered: restore the folder `contracts` from a copy.",
        )
    return found["contract"], demanded


def _kept(root: Path, sha256: str) -> Path:
    return logbook.folder(root) / "contracts" / f"{sha256}.json"


def _folder(root: Path, store: str) -> Path:
    return root / "data" / "contracts" / store.split(".")[0] / "accepted"


def _file(root: Path, store: str, version: str) -> Path:
    _number(version)
    return _folder(root, store) / f"{store.split('.')[1]}-{version}.json"


def _number(version: str) -> tuple[int, ...]:
    if not VERSION.fullmatch(version):
        raise DatamallError(f"{version!r} is no version of a contract: write one such as 1.2.0.")
    number = [int(part) for part in version.split(".")]
    return tuple(number + [0] * (4 - len(number)))
