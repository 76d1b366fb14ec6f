"""Seal what is relied on, and find the first thing that is not what was sealed.

A seal lists files with their SHA-256, read from their bytes and never from what DVC remembers of
them, and is signed by a role. What it covers is a kind of thing, such as the stores; whatever lies
in the folders of that kind belongs to it, so that a file that came later is found as well. Each
seal has an entry in the log of use before it is put in place: an older one that is brought back,
or one that was taken away, is not the one of the last entry.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook
from datamall.mall.seal import keys
from datamall.mall.seal.envelope import key_id, opened, sign, statement
from datamall.project import by_place, file_digest, put, reports_folder

KIND = "urn:datamall:seal:"
EVENT = "seal"
# What is no part of what is relied on, by name: work that is not done, and caches.
PASSED_OVER = ("__pycache__", ".ipynb_checkpoints")
NOT_DONE = ".failed.ipynb"


def covered(root: Path, authority: str) -> dict[str, list[Path]]:
    """Return what each kind of seal covers: kind → files and folders, which need not be there."""
    data, reports = root / "data", reports_folder(root, authority)
    return {
        "deliveries": [data / "raw" / authority, data / "deliveries" / authority],
        "stores": [
            data / "contracts",
            data / "authorities" / f"{authority}.yaml",
            data / "purposes.yaml",
            data / "stores" / authority,
        ],
        "method": [
            root / "notebooks",
            root / "params.yaml",
            root / "requirements.lock",
            root / "src" / "datamall",
        ],
        "results": [
            reports / "gate.json",
            *sorted(reports.glob("*.html")),
            *sorted(p for p in reports.glob("*.ipynb") if not p.name.endswith(NOT_DONE)),
            *(reports / name for name in by_place(root)),
            reports / "quality",
            reports / "results",
        ],
        "audits": [data / "audits" / authority],
        "uses": [data / "usage" / authority],
    }


def kinds(root: Path, authority: str) -> list[str]:
    """Return the kinds of which there is anything to seal."""
    return [kind for kind in covered(root, authority) if _digests(root, authority, kind)]


def seal(root: Path, mapping: Authority, kind: str, roles: list[str]) -> int:
    """Seal a kind of thing as it is now; return how many files that are.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    kind
        A key of `covered`.
    roles
        Who signs.

    Raises
    ------
    DatamallError
        When there is nothing to seal, a key is missing, or the log cannot be written.
    """
    authority = mapping.authority
    found = _digests(root, authority, kind)
    if not found:
        raise DatamallError(f"There is nothing of {kind} to seal for {authority}.")
    signing = [keys.signing(root, mapping, role) for role in roles]
    about = {
        "authority": authority,
        "roles": roles,
        "day": datetime.now(UTC).date().isoformat(),
    }
    envelope = sign(statement(found, KIND + kind, about), signing)
    text = json.dumps(envelope, indent=1) + "\n"
    digest = _sha256(text.encode())
    logbook.write(root, EVENT, authority=authority, kind=kind, roles=roles, sha256=digest)
    put(file_of(root, authority, kind), text)
    return len(found)


def file_of(root: Path, authority: str, kind: str) -> Path:
    """Return where the seal of a kind lies; it need not be there."""
    return root / "data" / "seals" / authority / f"{kind}.json"


def verify(
    root: Path, mapping: Authority, known: Mapping[str, Ed25519PublicKey]
) -> dict[str, tuple[int, list[str]]]:
    """Check every seal of an authority against public keys, the log and the bytes of all files.

    Where the log knows no seal, as in a clone, it is checked against keys and bytes alone.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    known
        Public keys by role (`datamall.mall.seal.keys.public`).

    Returns
    -------
    dict
        Kind → how many files, and the roles whose signatures are good.

    Raises
    ------
    DatamallError
        With the first thing that is not as it was sealed.
    """
    authority = mapping.authority
    roles_of = {key_id(key): role for role, key in known.items()}
    public = {key_id(key): key for key in known.values()}
    last: dict[str, str] = {}
    for entry in logbook.read(root):
        if entry.said["event"] == EVENT and entry.said["authority"] == authority:
            last[entry.said["kind"]] = entry.said["sha256"]
    sealed = {}
    for kind in covered(root, authority):
        path = file_of(root, authority, kind)
        place = path.relative_to(root).as_posix()
        if not path.is_file():
            if kind in last:
                raise DatamallError(f"{place} is gone: the log of use says that it was sealed.")
            continue
        text = path.read_bytes()
        try:
            envelope = json.loads(text)
        except ValueError:
            envelope = None
        content, signed = opened(envelope, public, f"The seal {place}")
        if last and last.get(kind) != _sha256(text):
            raise DatamallError(
                f"The seal {place} is not the last one in the log of use: an older one, or one of "
                "another place, was put there."
            )
        about = (content.get("predicateType"), content.get("predicate", {}).get("authority"))
        if about != (KIND + kind, authority):
            raise DatamallError(f"The seal {place} is of something else.")
        roles = sorted(roles_of[name] for name in signed)
        if roles != sorted(content["predicate"]["roles"]):
            raise DatamallError(
                f"The seal {place} lacks a signature: it is signed by {', '.join(roles)} alone."
            )
        listed = {one["name"]: one["digest"]["sha256"] for one in content["subject"]}
        compare(listed, _digests(root, authority, kind), kind)
        sealed[kind] = (len(listed), roles)
    return sealed


def compare(listed: Mapping[str, str], found: Mapping[str, str], kind: str) -> None:
    """Refuse files that are not as they were sealed: path → SHA-256, then and now; `kind` says of.

    Raises
    ------
    DatamallError
        With the first that is altered, new or gone.
    """
    for name in sorted({*listed, *found}):
        if name not in found:
            raise DatamallError(f"{name} is gone since {kind} were sealed.")
        if name not in listed:
            raise DatamallError(f"{name} came after {kind} were sealed.")
        if listed[name] != found[name]:
            raise DatamallError(f"{name} was altered after {kind} were sealed.")


def _digests(root: Path, authority: str, kind: str) -> dict[str, str]:
    """Return path in the project → SHA-256 of all files of a kind."""
    found = {file for place in covered(root, authority)[kind] for file in files(place)}
    return {file.relative_to(root).as_posix(): file_digest(file) for file in sorted(found)}


def files(place: Path) -> Iterator[Path]:
    """Yield a file, or all below a folder that belong to what is relied on."""
    if place.is_file():
        yield place
    for path in place.rglob("*") if place.is_dir() else ():
        if path.is_file() and not set(path.parts) & set(PASSED_OVER):
            yield path


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
