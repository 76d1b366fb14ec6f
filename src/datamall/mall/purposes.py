"""The purpose register: who may use what, for which purpose, on which legal basis.

Deny by default: a purpose grants the stores and columns written in ``data/purposes.yaml`` and
nothing else. What the law or a contract asks for before a grant is checked here: a person-level
link to protected characteristics needs a legal basis of its own, a purpose that profiles people
gets no column that is forbidden for profiling, and none gets two stores that may not be joined.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from datamall.errors import DatamallError
from datamall.mall import joins
from datamall.mall.contracts import Contract
from datamall.written import Filled, Text, read_as
from datamall.yamlfile import load_mapping

PERSONAL = {"persons", "households"}
FORBIDDEN = "forbidden"
Grain = Literal["value", "day", "week", "month", "quarter", "year"]
Names = Annotated[tuple[str, ...], Filled()]
NAME = re.compile(r"[a-z][a-z0-9_-]*")
ROLE = re.compile(r"[a-z][a-z-]{0,39}")
LINK_BASIS = ("gdpr", "statute", "decided_by")
# The exceptions of GDPR art. 9(2), (a) to (j), without which art. 9 forbids the processing.
EXCEPTION = re.compile(r"9\(2\)\([a-j]\)")


@dataclass(frozen=True)
class Wish:
    """What an entry of the register says of one store; see `Grant`."""

    columns: Names | None = None
    grain: Annotated[Mapping[str, Grain], Filled()] | None = None
    sums: Names | None = None
    last_day: Names | None = None
    link_basis: Any = None

    def __post_init__(self) -> None:
        whole = self.columns is not None
        if whole == (self.grain is not None) or whole == (self.sums is not None):
            raise DatamallError("give either columns, or grain and sums.")


@dataclass(frozen=True)
class HeldBack:
    """Why and until when people are not told of a use: the day itself is the first they are."""

    statute: Text
    until: Text

    def __post_init__(self) -> None:
        try:
            date.fromisoformat(self.until)
        except ValueError:
            raise DatamallError("until is a day such as 2027-01-31.") from None


@dataclass(frozen=True)
class Entry:
    """An entry of the register as it is written; see `Purpose`."""

    title: Text
    question: Text
    legal_basis: Mapping[str, Text]
    owner: Text
    processes_personal_data: bool
    stores: Annotated[Mapping[str, Wish], Filled()]
    profiling: bool = False
    inside: bool = False
    held_back: HeldBack | None = None
    roles: Names = ()

    def __post_init__(self) -> None:
        if not {"gdpr", "statute"} <= set(self.legal_basis):
            raise DatamallError("legal_basis needs gdpr and statute, as text.")
        for role in self.granted_to():
            if not ROLE.fullmatch(role):
                raise DatamallError(f"roles: {role!r} is no name of one: take small letters and -.")

    def granted_to(self) -> tuple[str, ...]:
        """Return the roles that may use it: those of `roles`, or what there is without them.

        Persons are for the analysts of the department that answers for the purpose. What is about
        nobody is for all who may read the project, and what a program inside the door reads is
        for those whom a decision permits it.
        """
        if self.roles or self.inside or not self.processes_personal_data:
            return self.roles
        return (re.sub(r"[^a-z]+", "-", self.owner.lower()).strip("-") + "-analyst",)


class Refused(DatamallError):
    """A checkout that is not allowed or not possible.

    Attributes
    ----------
    sentence
        Without the code, which its text ends with.
    code
        Reason code: ``unknown-purpose``, ``unknown-store``, ``unknown-column``,
        ``no-basis-for-link``, ``forbidden-join``, ``forbidden-for-profiling``, ``not-granted``,
        ``role-without-grant``, ``inside-only``, ``store-not-taken-in``, ``store-damaged``,
        ``other-contract`` or ``inexact-sum``; and those of `datamall.mall.accepted`,
        `datamall.mall.epochs`, `datamall.decisions`, `datamall.worklist` and `datamall.releases`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{sentence} ({code})")
        self.code, self.sentence = code, sentence


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
    inside
        Whether nobody gets an extract of it: a program inside the door reads it, and what comes out
        names nobody.
    held_back
        The law by which people are told of its uses only later, and from which day on; or None.
    roles
        In which roles it may be asked for (`datamall.mall.roles`); none: in any, or without.
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
    inside: bool
    held_back: HeldBack | None
    roles: tuple[str, ...]
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
        persons has no legal basis, two stores may not be joined, or a column is forbidden for
        profiling.
    """
    path = root / "data" / "purposes.yaml"
    if not path.is_file():
        raise DatamallError("There is no data/purposes.yaml: without it nothing is granted.")
    register = load_mapping(path, "data/purposes.yaml")
    return {name: _purpose(name, entry, contracts) for name, entry in register.items()}


def people(
    root: Path, contracts: Mapping[str, Contract], purposes: Iterable[str]
) -> frozenset[str] | None:
    """Return the columns that hold persons' numbers in what purposes grant; None: no persons."""
    register = load_purposes(root, contracts)
    stores = {g.store for name in purposes if name in register for g in register[name].grants}
    personal = [contracts[store] for store in stores if contracts[store].personal]
    return frozenset(c.person for c in personal if c.person) if personal else None


def _purpose(name: Any, entry: Any, contracts: Mapping[str, Contract]) -> Purpose:
    where = f"data/purposes.yaml: purpose {name!r}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DatamallError(f"{where}: a name has small letters, digits, - and _ only; rename it.")
    given = read_as(Entry, entry, where)
    grants = tuple(_grant(where, store, wish, contracts) for store, wish in given.stores.items())
    personal = sorted(g.store for g in grants if contracts[g.store].counted in PERSONAL)
    if personal and not given.processes_personal_data:
        raise DatamallError(
            f"{where} says that it processes no personal data, but {', '.join(personal)} counts "
            "persons or households; set processes_personal_data to true."
        )
    check_joins(where, given.stores, contracts)
    for grant in grants if given.profiling else ():
        _check_profiling(f"{where}, store {grant.store!r}", grant, contracts[grant.store])
    return Purpose(
        name=name,
        title=given.title,
        question=given.question,
        legal_basis=given.legal_basis,
        owner=given.owner,
        personal=given.processes_personal_data,
        profiling=given.profiling,
        inside=given.inside,
        held_back=given.held_back,
        roles=given.granted_to(),
        grants=grants,
    )


def check_joins(where: str, stores: Iterable[str], contracts: Mapping[str, Contract]) -> None:
    """Refuse stores together of which a contract says that they may not be joined.

    Parameters
    ----------
    where
        Who would get them, in words, for the error.
    stores, contracts
        Names of the stores; contracts by store.

    Raises
    ------
    Refused
        ``forbidden-join``, with the first pair and the reason in the contract.
    """
    for own, other, because in joins.forbidden([*stores], contracts):
        raise Refused(
            "forbidden-join",
            f"{where} gets {own} and {other}, which its contract forbids to join ({because}): "
            "take one of them alone.",
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


def _grant(where: str, store: str, wish: Wish, contracts: Mapping[str, Contract]) -> Grant:
    where = f"{where}, store {store!r}"
    if store not in contracts:
        raise Refused("unknown-store", f"{where}: there is no contract for it in data/contracts.")
    basis = _link_basis(where, wish.link_basis, contracts[store].link_needs_basis)
    columns: Mapping[str, str] = wish.grain or dict.fromkeys(wish.columns or (), "value")
    added, ends = wish.sums, wish.last_day
    types = {column.name: column.type for column in contracts[store].columns}
    years = [column.name for column in contracts[store].columns if column.unit == "year"]
    for column in (*columns, *(added or ()), *(ends or ())):
        if column not in types:
            raise Refused("unknown-column", f"{where}: its contract has no column {column!r}.")
    for column, fine in columns.items():
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
