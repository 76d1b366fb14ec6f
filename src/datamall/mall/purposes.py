"""The purpose register: who may use what, for which purpose, on which legal basis.

Deny by default: a purpose grants the stores and columns written in ``data/purposes.yaml`` and
nothing else. What the law or a contract asks for before a grant is checked here: a person-level
link to protected characteristics needs a legal basis of its own, and a purpose that profiles
people gets no column that is forbidden for profiling.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.contracts import Contract
from datamall.yamlfile import load_mapping

PERSONAL = {"persons", "households"}
FORBIDDEN = "forbidden"
GRAINS = ("value", "day", "week", "month", "quarter", "year")
NAME = re.compile(r"[a-z][a-z0-9_-]*")
KEYS = {
    "title": str,
    "question": str,
    "legal_basis": dict,
    "owner": str,
    "processes_personal_data": bool,
    "stores": dict,
}
OPTIONAL = {"profiling": bool}
LINK_BASIS = ("gdpr", "statute", "decided_by")
# The exceptions of GDPR art. 9(2), (a) to (j), without which art. 9 forbids the processing.
EXCEPTION = re.compile(r"9\(2\)\([a-j]\)")


class Refused(DatamallError):
    """A checkout that is not allowed or not possible.

    Attributes
    ----------
    code
        Reason code: ``unknown-purpose``, ``unknown-store``, ``unknown-column``,
        ``no-basis-for-link``, ``forbidden-for-profiling``, ``not-granted``,
        ``store-not-taken-in``, ``store-damaged`` or ``inexact-sum``.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{sentence} ({code})")
        self.code = code


@dataclass(frozen=True)
class Grant:
    """What a purpose gets of one store.

    Attributes
    ----------
    store
        Name, ``department.store``.
    columns
        Column → how fine: ``value``, or for dates ``day`` to ``year`` (the first day of it).
    sums
        Columns that are added up per combination of `columns`; None: rows, not sums.
    last_day
        The column of days, or of years, or those of the first day and the number of days of a
        period; or None.
    link_basis
        Legal basis of a link to persons, where the contract of the store asks for one: ``gdpr``,
        ``statute`` and ``decided_by``; or None.
    """

    store: str
    columns: Mapping[str, str]
    sums: tuple[str, ...] | None
    last_day: tuple[str, ...] | None
    link_basis: Mapping[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the extract, in order."""
        return (*self.columns, *(self.sums or ()))


@dataclass(frozen=True)
class Purpose:
    """An entry of the purpose register, checked against the contracts.

    Attributes
    ----------
    name, title, question
        Name in the register, name for people, and the question that the data are to answer.
    legal_basis
        ``gdpr`` (article 6) and ``statute``.
    owner
        Department that answers for the purpose.
    personal
        Whether personal data are processed.
    profiling
        Whether people are profiled; such a purpose gets no column that forbids it.
    grants
        What it gets, by store.
    """

    name: str
    title: str
    question: str
    legal_basis: Mapping[str, str]
    owner: str
    personal: bool
    profiling: bool
    grants: tuple[Grant, ...]


def load_purposes(root: Path, contracts: Mapping[str, Contract]) -> dict[str, Purpose]:
    """Return the purpose register ``data/purposes.yaml``.

    Parameters
    ----------
    root
        Project folder.
    contracts
        Contracts by store, from `datamall.mall.contracts.load_contracts`.

    Returns
    -------
    dict
        Purposes by name.

    Raises
    ------
    DatamallError
        At the first mistake: it is a `Refused` where a store or column has no contract, a link to
        persons has no legal basis, or a column is forbidden for profiling.
    """
    path = root / "data" / "purposes.yaml"
    if not path.is_file():
        raise DatamallError("There is no data/purposes.yaml: without it nothing is granted.")
    register = load_mapping(path, "data/purposes.yaml")
    return {name: _purpose(name, entry, contracts) for name, entry in register.items()}


def _purpose(name: Any, entry: Any, contracts: Mapping[str, Contract]) -> Purpose:
    where = f"data/purposes.yaml: purpose {name!r}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DatamallError(f"{where}: a name has small letters, digits, - and _ only; rename it.")
    if not isinstance(entry, dict):
        raise DatamallError(f"{where} must be a mapping with {', '.join(KEYS)}.")
    _only(where, entry, KEYS | OPTIONAL)
    for key, kind in (KEYS | OPTIONAL).items():
        given = entry.get(key, False if key in OPTIONAL else None)
        if not isinstance(given, kind) or given in ("", {}):
            raise DatamallError(f"{where} needs {key!r}, as {_kind(kind)}; write it down.")
    basis = entry["legal_basis"]
    if not all(isinstance(basis.get(key), str) and basis[key] for key in ("gdpr", "statute")):
        raise DatamallError(f"{where}: legal_basis needs 'gdpr' and 'statute' as text.")
    grants = tuple(_grant(where, store, wish, contracts) for store, wish in entry["stores"].items())
    personal = sorted(g.store for g in grants if contracts[g.store].counted in PERSONAL)
    if personal and not entry["processes_personal_data"]:
        raise DatamallError(
            f"{where} says that it processes no personal data, but {', '.join(personal)} counts "
            "persons or households; set processes_personal_data to true."
        )
    profiling = entry.get("profiling", False)
    for grant in grants if profiling else ():
        _check_profiling(f"{where}, store {grant.store!r}", grant, contracts[grant.store])
    return Purpose(
        name=name,
        title=entry["title"],
        question=entry["question"],
        legal_basis=basis,
        owner=entry["owner"],
        personal=entry["processes_personal_data"],
        profiling=profiling,
        grants=grants,
    )


def _check_profiling(where: str, grant: Grant, contract: Contract) -> None:
    """Refuse a column that its contract forbids for profiling."""
    for column in (*grant.names, *(grant.last_day or ())):
        said = contract.column(column).profiling or ""
        if said.startswith(FORBIDDEN):
            raise Refused(
                "forbidden-for-profiling",
                f"{where}: the purpose profiles people, and the contract says of {column!r} "
                f"{said!r}: leave the column out.",
            )


def _grant(where: str, store: Any, wish: Any, contracts: Mapping[str, Contract]) -> Grant:
    where = f"{where}, store {store!r}"
    if store not in contracts:
        raise Refused("unknown-store", f"{where}: there is no contract for it in data/contracts.")
    if not isinstance(wish, dict):
        raise DatamallError(f"{where} needs either 'columns', or 'grain' and 'sums'.")
    _only(where, wish, ("columns", "grain", "sums", "last_day", "link_basis"))
    basis = _link_basis(where, wish.get("link_basis"), contracts[store].link_needs_basis)
    grain, sums, last_day = (wish.get(key) for key in ("grain", "sums", "last_day"))
    if ("columns" in wish) == ("grain" in wish) or ("grain" in wish) != ("sums" in wish):
        raise DatamallError(f"{where} needs either 'columns', or 'grain' and 'sums'.")
    if "columns" in wish:
        columns = dict.fromkeys(_names(f"{where}, columns", wish["columns"]), "value")
    elif isinstance(grain, dict) and grain:
        columns = grain
    else:
        raise DatamallError(f"{where}: grain must map columns to one of {', '.join(GRAINS)}.")
    added = None if sums is None else _names(f"{where}, sums", sums)
    ends = None if last_day is None else _names(f"{where}, last_day", last_day)
    types = {column.name: column.type for column in contracts[store].columns}
    years = [column.name for column in contracts[store].columns if column.unit == "year"]
    for column in (*columns, *(added or ()), *(ends or ())):
        if column not in types:
            raise Refused("unknown-column", f"{where}: its contract has no column {column!r}.")
    for column, fine in columns.items():
        if fine not in GRAINS:
            raise DatamallError(
                f"{where}: grain of {column!r} is {fine!r}; choose from {', '.join(GRAINS)}."
            )
        if fine != "value" and types[column] != "date":
            raise DatamallError(f"{where}: only a date has the grain {fine!r}, {column!r} is none.")
    for column in added or ():
        if types[column] not in ("integer", "number"):
            raise DatamallError(f"{where}: {column!r} is no number and cannot be added up.")
        if column in columns:
            raise DatamallError(f"{where}: {column!r} is both grain and sum; choose one.")
    if ends is None:
        return Grant(store, columns, added, None, basis)
    kinds = ["year" if column in years else types[column] for column in ends]
    if kinds not in (["date"], ["year"], ["date", "integer"]):
        raise DatamallError(
            f"{where}: last_day names a date or a year, or a date and a whole number of days."
        )
    return Grant(store, columns, added, ends, basis)


def _link_basis(where: str, basis: Any, needed: bool) -> Mapping[str, str] | None:
    """Return the legal basis of a link to persons, which is there exactly where one is needed."""
    if not needed:
        if basis is not None:
            raise DatamallError(f"{where}: its contract asks for no link_basis; remove it.")
        return None
    if (
        not isinstance(basis, dict)
        or sorted(basis) != sorted(LINK_BASIS)
        or not all(isinstance(text, str) and text.strip() for text in basis.values())
        or not EXCEPTION.match(basis["gdpr"])
    ):
        raise Refused(
            "no-basis-for-link",
            f"{where}: its contract allows a link to persons only on a legal basis of its own: "
            "write link_basis with gdpr (an exception of article 9(2), such as 9(2)(g)), statute "
            "and decided_by, or use official counts without persons.",
        )
    return basis


def _only(where: str, entry: Mapping[Any, Any], known: Any) -> None:
    for key in entry:
        if key not in known:
            raise DatamallError(
                f"{where} has an unknown key {key!r}; known are {', '.join(known)}."
            )


def _names(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise DatamallError(f"{where} must be a list of columns.")
    return tuple(str(name) for name in value)


def _kind(kind: type) -> str:
    return {str: "text", dict: "a mapping", bool: "true or false"}[kind]
