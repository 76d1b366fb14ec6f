"""Releases: a reviewed copy of the pages without the draft mark, signed by two people.

What is about people is shown anew only when enough of them left and came since each release there
ever was, so that no two releases give anybody away; until then its page stands as it was released
last, byte for byte. Before anything is sealed, attackers of our own reckon with all that is in
print.
"""

import hashlib
import json
import shutil
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamall import differences
from datamall import release_checks as checks
from datamall.errors import DatamallError
from datamall.mall import versions
from datamall.mall.authorities import Authority
from datamall.mall.contracts import load_contracts
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.seal import keys, seals, signatures
from datamall.mall.seal.envelope import statement
from datamall.project import file_digest, load_parameters, put, reports_folder

EVENT, KIND = "release", "urn:datamall:release"
RECORD, SEAL = "release.json", "seal.json"
DRAFT = '<p class="badge">Draft: not reviewed</p>'


def folder(root: Path, authority: str, number: int | None = None) -> Path:
    """Return the folder of an authority's releases, or of one of them."""
    place = root / "releases" / authority
    return place if number is None else place / str(number)


def numbers(root: Path, authority: str) -> list[int]:
    """Return the numbers of all releases, in order."""
    place = folder(root, authority)
    found = place.iterdir() if place.is_dir() else ()
    return sorted(int(path.name) for path in found if path.name.isdigit())


def record(root: Path, authority: str, number: int) -> dict[str, Any]:
    """Return what a release says of itself.

    Raises
    ------
    DatamallError
        When there is no such release.
    """
    path = folder(root, authority, number) / RECORD
    if not path.is_file():
        known = ", ".join(map(str, numbers(root, authority))) or "none yet"
        raise DatamallError(f"{authority} has no release {number}: there are {known}.")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def earlier(root: Path, authority: str) -> list[tuple[Path, checks.Versions]]:
    """Return the folders of all releases, and the versions of stores that they rest on."""
    return [
        (folder(root, authority, number), record(root, authority, number)["versions"])
        for number in numbers(root, authority)
    ]


def make(root: Path, mapping: Authority, role: str, again: Callable[[str], str]) -> Path:
    """Freeze the pages as they are now into the next release, signed by one; return its folder.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    role
        Who looked at the pages and signs. It counts as released when the other of
        `signatures.BOTH` has signed, too: see `countersign`.
    again
        Comes to the verdict of an audit from the stores, as for the gate.

    Raises
    ------
    DatamallError
        When the role has no key, something was altered after it was sealed or is not sealed, a page
        is not of the data and the program of now, or attackers learn from the pages of how many
        people fewer than ten are (``pinned``), or cannot tell (``unknown-figure``). Nothing is
        then written.
    """
    authority = mapping.authority
    number = max([*_noted(root, authority), *numbers(root, authority)], default=0) + 1
    target = folder(root, authority, number)
    aside = _aside(target)
    with logbook.refusals(root, EVENT, authority=authority, number=number, role=role):
        checks.may_sign(root, mapping, role)
        checks.check_sealed(root, mapping)
        checks.check_current(root, authority, again)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            said = _freeze(root, mapping, number, aside)
            learned = checks.attacked(root, earlier(root, authority), aside, said["versions"])
            if learned:
                raise Refused(
                    "pinned",
                    f"Release {number} was not made: from its tables follows how many people are "
                    f"{learned[0]!r}, fewer than ten"
                    + (f", and {len(learned) - 1} numbers more" if len(learned) > 1 else "")
                    + ": make a table coarser or leave it out, and run the pipeline again.",
                )
            _finish(root, mapping, said, aside, target, role)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return target


def countersign(root: Path, mapping: Authority, number: int, role: str) -> list[str]:
    """Sign a release that somebody else made, after checking it; return who signs it by now.

    Raises
    ------
    DatamallError
        When there is no such release, it is not as it was signed, or the role has no key.
    Refused
        When it is then not signed by two people: see `signatures.by_two`.
    """
    authority = mapping.authority
    known = keys.public(root, mapping)
    path = folder(root, authority, number) / SEAL
    with logbook.refusals(root, EVENT, authority=authority, number=number, role=role):
        record(root, authority, number)
        checks.may_sign(root, mapping, role)
        verify(root, mapping, known)
        signed = signatures.read(path, known, f"The seal of release {number}")
        signatures.sign(root, mapping, path, signed.content, role, EVENT, number=number)
        signed = signatures.read(path, known, f"The seal of release {number}")
        signatures.by_two(root, mapping, signed, EVENT)
    return [*signed.roles]


def verify(
    root: Path, mapping: Authority, known: Mapping[str, Ed25519PublicKey]
) -> dict[int, tuple[int, list[str]]]:
    """Check every release: its signatures, the log and the bytes of all files.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    known
        Public keys by role.

    Returns
    -------
    dict
        Number → how many files, and the roles that signed; where one of `signatures.BOTH` is not
        among them, it waits and is not released.

    Raises
    ------
    DatamallError
        With the first thing that is not as it was released.
    """
    authority = mapping.authority
    last = _noted(root, authority)
    there = numbers(root, authority)
    if gone := sorted(last.keys() - there):
        raise DatamallError(f"Release {gone[0]} is gone: the log of use says that it was made.")
    found = {}
    for number in there:
        path = folder(root, authority, number) / SEAL
        place = path.relative_to(root).as_posix()
        if not path.is_file():
            raise DatamallError(f"The seal {place} is gone: restore it.")
        signed = signatures.read(path, known, f"The seal {place}")
        about = signed.content.get("predicate", {})
        if (signed.content.get("predicateType"), about.get("authority"), about.get("number")) != (
            *(KIND, authority),
            number,
        ):
            raise DatamallError(f"The seal {place} is of something else.")
        if last:
            digest, signers = last.get(number, ("", set()))
            if digest != signed.digest:
                raise DatamallError(f"The seal {place} is not the one in the log of use.")
            if gone_roles := sorted(signers - {*signed.roles}):
                raise DatamallError(f"The seal {place} lacks the signature of the {gone_roles[0]}.")
        listed = {one["name"]: one["digest"]["sha256"] for one in signed.content["subject"]}
        seals.compare(listed, _digests(root, path.parent), f"release {number}")
        found[number] = (len(listed), [*signed.roles])
    return found


def _noted(root: Path, authority: str) -> dict[int, tuple[str, set[str]]]:
    """Return the releases that the log knows: digest of what was signed, and who signed it.

    One whose process was killed after its entry, before it was in its place, is put there.
    """
    last: dict[int, tuple[str, set[str]]] = {}
    for entry in logbook.read(root):
        said = entry.said
        if (said["event"], said.get("authority")) == (EVENT, authority) and "signed" in said:
            before = last.get(int(said["number"]), ("", set()))
            # A release that was made anew begins anew.
            signers = before[1] if before[0] == said["signed"] else set()
            last[int(said["number"])] = (said["signed"], signers | {said["role"]})
    for number, (digest, _) in last.items():
        target = folder(root, authority, number)
        seal = _aside(target) / SEAL
        if not target.exists() and seal.is_file():
            payload = b64decode(json.loads(seal.read_bytes())["payload"])
            if hashlib.sha256(payload).hexdigest() == digest:
                seal.parent.rename(target)
    return last


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def place_of(root: Path, authority: str, name: str) -> tuple[Path, Path]:
    """Return the folder and the params.yaml of a release by its number, or of the ``draft``."""
    if name == "draft":
        return reports_folder(root, authority), root / "params.yaml"
    if not name.isdigit():
        raise DatamallError(f"{name!r} is no release: give its number, or `draft`.")
    record(root, authority, int(name))
    place = folder(root, authority, int(name))
    return place, place / "params.yaml"


def _freeze(root: Path, mapping: Authority, number: int, aside: Path) -> dict[str, Any]:
    """Copy what may be shown into a folder, and return what the release says of itself."""
    from datamall.reporting.index import write as write_index

    authority = mapping.authority
    contracts, reports = load_contracts(root), load_parameters(root)["reports"]
    pages, known = reports_folder(root, authority), numbers(root, authority)
    before = record(root, authority, known[-1]) if known else {"reports": {}, "versions": {}}
    last = folder(root, authority, known[-1]) if known else aside
    behind = checks.stores_behind(root, reports, contracts, mapping)
    now = {
        store: checks.marks(root, mapping, contracts[store])
        for store in sorted({store for stores in behind.values() for store in stores})
    }
    released = versions.known(used for _, used in earlier(root, authority))
    shown = {
        store: checks.may_be_shown(root, authority, store, now[store], released.get(store, ()))
        for store in now
    }
    said: dict[str, Any] = {"release": number, "before": known[-1] if known else None}
    said |= {"reports": {}, "left_out": [], "versions": {}}
    (aside / "quality").mkdir(parents=True)
    for name in reports:
        old = last / "results" / name
        stands = name in before["reports"] and checks.says_the_same(old, pages / "results" / name)
        if all(shown[store] for store in behind[name]) and not stands:
            source, said["reports"][name] = pages, number
            said["versions"][name] = {
                store: versions.keep(root, authority, store, now[store]) for store in behind[name]
            }
        elif name in before["reports"]:
            source, said["reports"][name] = last, before["reports"][name]
            said["versions"][name] = before["versions"][name]
        else:
            said["left_out"].append(name)
            continue
        shutil.copytree(source / "results" / name, aside / "results" / name)
        # A report by place has a folder of pages.
        pattern = f"{name}/*.html" if reports[name].get("of") else f"{name}.html"
        for path in sorted(source.glob(pattern)):
            page = path.read_text("utf-8")
            text = page if source == last else _reviewed(page, number, path.stem)
            put(aside / path.relative_to(source), text)
    for path in sorted((pages / "quality").glob("*.json")):
        source = pages if shown.get(path.stem, True) else last
        if (source / "quality" / path.name).is_file():
            shutil.copy(source / "quality" / path.name, aside / "quality")
    audits = [name for name, about in reports.items() if about.get("audit")]
    source = pages if all(said["reports"].get(name) == number for name in audits) else last
    if (source / "gate.json").is_file() and source != aside:
        shutil.copy(source / "gate.json", aside)
    index = write_index(root, authority, aside)
    put(index, _reviewed(index.read_text("utf-8"), number, "index"))
    shutil.copy(root / "params.yaml", aside)
    return said


def _finish(
    root: Path,
    mapping: Authority,
    said: dict[str, Any],
    aside: Path,
    target: Path,
    role: str,
) -> None:
    """Write what changed, sign the folder, note it in the log and put it in its place."""
    authority, number = mapping.authority, said["release"]
    if said["before"] is not None:
        old = folder(root, authority, said["before"])
        parameters = (old / "params.yaml", aside / "params.yaml")
        changed = differences.compare(old, aside, parameters)
        put(aside / "changes.json", json.dumps(changed, indent=1, ensure_ascii=False) + "\n")
        title = f"# Release {number}: what changed since release {said['before']}\n\n"
        put(aside / "changes.md", title + differences.words(changed))
    put(aside / RECORD, json.dumps(said, indent=1) + "\n")
    place = target.relative_to(root).as_posix()
    listed = {
        f"{place}/{path.relative_to(aside).as_posix()}": file_digest(path)
        for path in seals.files(aside)
    }
    day = datetime.now(UTC).date().isoformat()
    content = statement(listed, KIND, {"authority": authority, "number": number, "day": day})
    stands = sorted(name for name, made in said["reports"].items() if made != number)
    signatures.sign(root, mapping, aside / SEAL, content, role, EVENT, number=number, stands=stands)
    aside.rename(target)


def _reviewed(page: str, number: int, name: str) -> str:
    """Return a page with the number of its release in place of the draft mark."""
    if page.count(DRAFT) != 1:
        raise DatamallError(f"The page {name} has no draft mark: run the pipeline again.")
    return page.replace(DRAFT, f'<p class="badge">Release {number}</p>')


def _digests(root: Path, place: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): file_digest(path)
        for path in seals.files(place)
        if path.name != SEAL or path.parent != place
    }
