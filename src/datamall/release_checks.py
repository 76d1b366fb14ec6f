"""What a release is held to: whose signatures, which pages, and what attackers learn from them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from datamall import gate
from datamall.errors import DatamallError
from datamall.mall import closed_stores, versions
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.purposes import Refused, load_purposes
from datamall.mall.registers import is_register
from datamall.mall.seal import keys, seals, signatures
from datamall.project import file_digest, load_parameters, reports_folder, store_folder
from datamall.provenance import provenance

SEALED = ("stores", "method", "results")  # what somebody must have looked at and signed before
Versions = Mapping[str, Mapping[str, str]]  # report → store of people → digest of its marks


def may_sign(root: Path, mapping: Authority, role: str) -> None:
    """Refuse whose signature does not count for a release, or who has no key.

    Raises
    ------
    DatamallError
        Says what to do.
    """
    if role not in signatures.BOTH:
        raise DatamallError(
            f"The {role} cannot sign a release: it needs the signatures of two people, the "
            f"{' and the '.join(signatures.BOTH)}."
        )
    keys.signing(root, mapping, role)


def check_sealed(root: Path, mapping: Authority) -> None:
    """Refuse what was altered after it was sealed, and what nobody has looked at and sealed."""
    found = seals.verify(root, mapping, keys.public(root, mapping))
    missing = [kind for kind in SEALED if kind not in found]
    if missing:
        raise DatamallError(
            f"{', '.join(missing)} of {mapping.authority} are not sealed: look at the pages, and "
            f"run `datamall seal --authority {mapping.authority} --by ROLE`."
        )


def check_current(root: Path, authority: str, again: Callable[[str], str]) -> None:
    """Refuse pages that are not of the data, parameters and program of now."""
    reports, pages = load_parameters(root)["reports"], reports_folder(root, authority)
    for name, about in reports.items():
        written = pages / "results" / name / "provenance.json"
        there = json.loads(written.read_text("utf-8")) if written.is_file() else None
        if there != provenance(root, authority, name):
            raise DatamallError(
                f"The page {name} is not of the data and the program of now: run `datamall run "
                f"{authority}`, look at the pages and seal them."
            )
        if about.get("audit"):
            now = gate.decide(root, authority, name, lambda name=name: again(name))  # type: ignore[misc]
            path = pages / "gate.json"
            if not path.is_file() or json.loads(path.read_text("utf-8")) != now:
                raise DatamallError(
                    f"The gate of {name} says something else now than its page: run `datamall run "
                    f"{authority}`."
                )


def stores_behind(
    root: Path,
    reports: Mapping[str, Any],
    contracts: Mapping[str, Contract],
    mapping: Authority,
) -> dict[str, list[str]]:
    """Return report → stores of people, taken in, on which its page rests.

    The mall's own registers rest on all.
    """
    purposes = load_purposes(root, contracts)
    people = {
        name
        for name, contract in contracts.items()
        if contract.personal
        and name in mapping.stores
        and (store_folder(root, mapping.authority, name) / "store.json").is_file()
    }
    behind = {}
    for report, about in reports.items():
        granted = {g.store for p in about["purposes"] if p in purposes for g in purposes[p].grants}
        everything = any(is_register(store) for store in granted)
        behind[report] = sorted(people if everything else people & granted)
    return behind


def marks(root: Path, mapping: Authority, contract: Contract) -> bytes:
    """Return the marks of a store of people as it is now."""
    place = store_folder(root, mapping.authority, contract.name)
    manifest = json.loads((place / "store.json").read_text("utf-8"))
    return versions.marks(mapping, contract, closed_stores.rows(root, place, manifest, mapping))


def may_be_shown(
    root: Path, authority: str, store: str, now: bytes, released: Iterable[str]
) -> bool:
    """Return whether enough people lie between a store now and each version that was released.

    Parameters
    ----------
    root, authority, store
        Project folder, authority and store.
    now
        Its marks (`datamall.mall.versions`).
    released
        Digests of the marks of all versions that were ever released.
    """
    digest = hashlib.sha256(now).hexdigest()
    return all(
        one == digest or versions.far_enough(versions.kept(root, authority, store, one), now)
        for one in sorted(released)
    )


def says_the_same(before: Path, now: Path) -> bool:
    """Return whether a page has the results of a release, by the same program and parameters.

    It then stands as it was, as a page does that waits for more people: so that nobody can see
    from the number of its release whether somebody's record is another.
    """
    sides = []
    for place in (before, now):
        said = {
            path.name: file_digest(path)
            for path in sorted(place.iterdir())
            if path.name != "provenance.json"
        }
        rests_on = json.loads((place / "provenance.json").read_text("utf-8"))
        said |= {n: d for n, d in rests_on.items() if not n.startswith(("store ", "quality "))}
        sides.append(said)
    return sides[0] == sides[1]


def attacked(
    root: Path, earlier: Iterable[tuple[Path, Versions]], pages: Path, used: Versions
) -> list[str]:
    """Return of which kinds of people it follows that they are fewer than ten, and how many.

    Parameters
    ----------
    root
        Project folder.
    earlier
        Folders of all releases before, and the versions that they rest on: tables that rest on
        the same as those of now are reckoned with as well.
    pages, used
        Folder with ``results``, and the versions that it rests on.

    Raises
    ------
    Refused
        ``unknown-figure``: a table has a column of numbers that attackers do not know.
    DatamallError
        When there are no attackers for a page, or its tables contradict each other.
    """
    reports = load_parameters(root)["reports"]
    there = {path.name for path in (pages / "results").iterdir()}
    personal = [name for name in _about_people(root, reports) if name in there]
    by_version: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    seen = {pair for name in personal for pair in used.get(name, {}).items()}
    together = len({store for store, _ in seen}) == len(seen)
    for name in personal:
        own = () if together else tuple(sorted(used.get(name, {}).items()))
        by_version.setdefault((reports[name]["package"], own), []).append(name)
    found: list[str] = []
    for (package, _), names in by_version.items():
        places = [pages]
        for place, before in earlier:
            if all(before.get(name) == used.get(name) for name in names):
                places.append(place)
        found += _reckoned(package, names, places)
    return found


def _reckoned(package: str, names: list[str], places: list[Path]) -> list[str]:
    import pandas as pd

    from datamall.attackers import reckoned

    try:
        printed = import_module(f"datamall.{package}.printed")
    except ModuleNotFoundError:
        raise DatamallError(
            f"Nothing about people of {', '.join(names)} can be released: no attackers know whom "
            f"its tables count, since there is no datamall.{package}.printed."
        ) from None
    counts, seen = [], set()
    tables: dict[str, pd.DataFrame] = {}
    for place in places:
        files = {
            f"{name}/{path.stem}": path
            for name in names
            for path in sorted((place / "results" / name).glob("*.csv"))
        }
        content = tuple(sorted((name, file_digest(path)) for name, path in files.items()))
        if content in seen:
            continue
        seen.add(content)
        own = {name: pd.read_csv(path) for name, path in files.items() if path.stat().st_size > 1}
        for name, table in own.items() if place == places[0] else ():
            for heading in table.select_dtypes("number"):
                if not printed.FIGURES.fullmatch(heading):
                    raise Refused(
                        "unknown-figure",
                        f"{name}: nobody has said what {heading!r} tells about people, and the "
                        "lowest, the highest or the median of a group is somebody's own: leave it "
                        f"out, or add it to FIGURES in datamall.{package}.printed.",
                    )
        tables = tables or own
        counts += printed.counts(own)
    try:
        found = reckoned(printed.space(printed.years_of(tables)), counts, printed.small(tables))
    except ValueError:
        raise DatamallError(
            f"The tables of {', '.join(names)} contradict each other: no people agree with all of "
            "their counts. Run the pipeline again, and look at the program that prints them."
        ) from None
    kinds: list[str] = found.loc[found["pinned"], "what"].tolist()
    return kinds


def _about_people(root: Path, reports: Mapping[str, Any]) -> list[str]:
    purposes = load_purposes(root, load_contracts(root))
    return [
        name
        for name, about in reports.items()
        if any(purposes[purpose].personal for purpose in about["purposes"] if purpose in purposes)
    ]
