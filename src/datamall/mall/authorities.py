"""Mappings: where an authority's raw files are, and how they fill the columns of the contracts.

A mapping is one YAML file, ``data/authorities/<name>.yaml``; a municipality that joins writes one
and no Python. Every mistake in it is found here, before a raw file is opened.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from datamall.errors import DatamallError
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.expressions import identifier, literal
from datamall.mall.fillings import Filling, Unpivot, expression_of, filling_of, unpivot_of
from datamall.mall.places import GRID, X, Y, checked_crs
from datamall.mall.rawfiles import FETCHED, RawFile, keys, mapping, raw_file
from datamall.tabular.form import plain
from datamall.written import Ends, Text, read_as
from datamall.yamlfile import load_mapping

AUTHORITY_KEYS = (
    "authority", "title", "synthetic", "description", "as_of", "crs", "files", "stores",
)  # fmt: skip
SOURCE_KEYS = (
    "file", "sheet", "where", "totals", "unpivot", "distinct", "events", "later", "columns",
)  # fmt: skip
# What a later delivery does to the rows of earlier ones.
LATER = ("conflicts", "replaces", "replaces period", "adds")
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
TAKEN = ("results", "quality")  # folders that the demo has in reports/, where others have theirs


@dataclass(frozen=True)
class Source:
    """How a store is filled from one raw file, or from files of one form.

    Attributes
    ----------
    file, sheet
        The raw file; of a workbook, the name of the sheet.
    where
        SQL over headers: records for which it is not true are left out.
    where_headers
        Headers that `where` reads.
    totals
        Headers whose words for totals are known: records with one of them are left out by
        `where`.
    unpivot
        How wide records become long ones, if they do.
    distinct
        Whether one of equal rows is kept.
    tally
        Where rows are single events: the column of the contract that says how many there are of
        a key. The additive columns are summed with them.
    event
        Headers that together are an event's own identifier; none: each row is an event.
    later
        What a row does where an earlier delivery has the same key (or event): ``conflicts`` if it
        differs; ``replaces`` it; ``replaces period``: a delivery takes the place of all that
        earlier ones say of its days, from the first to the last; ``adds``: both count.
    columns
        Column → how it is filled, in the order of the contract; `tally` is not among them.
    """

    file: RawFile
    sheet: str | None
    where: str | None
    where_headers: tuple[str, ...]
    totals: tuple[str, ...]
    unpivot: Unpivot | None
    distinct: bool
    tally: str | None
    event: tuple[str, ...]
    later: str
    columns: dict[str, Filling]

    @property
    def placed(self) -> bool:
        """Whether its records are of places, by x and y."""
        return X in self.columns and Y in self.columns

    @property
    def adds(self) -> bool:
        """Whether counts of a key in several deliveries are summed."""
        return self.later == "adds" and self.tally is None

    def has(self, column: str) -> bool:
        """Whether this source fills a column."""
        return column in self.columns or column == self.tally


@dataclass(frozen=True)
class Conflicts:
    """Which share of the records may share a key with others that differ, and why that is known."""

    at_most: Annotated[float, Ends(0, 1)]
    because: Text


@dataclass(frozen=True)
class StoreMapping:
    """How one store is filled, from one source or several.

    Attributes
    ----------
    store
        ``department.store``.
    sources
        The sources, in the order in which they are read.
    columns
        Columns that any source fills, in the order of the contract.
    conflicts
        What the steward knows of rows that contradict each other, if anything.
    """

    store: str
    sources: tuple[Source, ...]
    columns: tuple[str, ...]
    conflicts: Conflicts | None

    def has(self, column: str) -> bool:
        """Whether the authority delivers a column, be it one value for all rows."""
        return column in self.columns

    def constant(self, column: str) -> bool:
        """Whether a column has the same value in every row that has one."""
        filled = [source for source in self.sources if source.has(column)]
        ways = [source.columns.get(column) for source in filled]
        return bool(ways) and all(w is not None and not w.headers and w == ways[0] for w in ways)

    @property
    def digest(self) -> str:
        """SHA-256 of this mapping: it changes when the same file would be read otherwise."""
        about = asdict(self)
        for source in about["sources"]:
            for key in FETCHED:
                del source["file"][key]
            if source["file"]["result_of"] is None:
                del source["file"]["result_of"]
        text = json.dumps(
            about, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        )
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Authority:
    """An authority: its title, whether its data are invented, its raw files and stores.

    `as_of` is the day from which retention is reckoned; None: of each store its last day.
    """

    authority: str
    title: str
    synthetic: bool
    description: str
    files: dict[str, RawFile]
    stores: dict[str, StoreMapping]
    as_of: date | None = None


def load_authority(
    root: Path, name: str, contracts: Mapping[str, Contract] | None = None
) -> Authority:
    """Return the mapping of an authority, checked against the contracts.

    Parameters
    ----------
    root
        Project folder.
    name
        Name of the authority, which is the name of its file.
    contracts
        Contracts of the project, if they have been loaded already.

    Raises
    ------
    DatamallError
        For the first mistake: a name that is not plain; an unknown key, store, column or file; a
        required column that is not filled, or filled in two ways; an expression that is no SQL.
    """
    # Nor like a report whose pages lie in a folder of its name.
    notebook = root / "notebooks" / f"{name}.ipynb"
    if not NAME.fullmatch(name) or name in TAKEN or notebook.is_file():
        raise DatamallError(
            f"An authority cannot be called {name!r}: take a small letter and then at most 39 "
            f"small letters, digits and -, but not that of a notebook, nor {' or '.join(TAKEN)}."
        )
    folder = root / "data" / "authorities"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise DatamallError(
            f"No authority called {name!r}: there are {known}; to add one, write "
            f"data/authorities/{name}.yaml."
        )
    place = f"data/authorities/{name}.yaml"
    document = load_mapping(path, place)
    keys(document, AUTHORITY_KEYS, place, needed=("authority", "title", "files", "stores"))
    if document["authority"] != name:
        raise DatamallError(f"{place}: authority is {document['authority']!r}, not {name!r}.")
    if not isinstance(document.get("synthetic"), bool):
        raise DatamallError(f"{place}: say `synthetic: true` if the data are invented, or false.")
    grid = checked_crs(document["crs"], place, grid=True) if "crs" in document else GRID
    files = {
        key: raw_file(key, item, f"{place}: file {key}", grid)
        for key, item in mapping(document["files"], place, "files").items()
    }
    contracts = load_contracts(root) if contracts is None else contracts
    stores = {}
    for store, item in mapping(document["stores"], place, "stores").items():
        if store not in contracts:
            known = ", ".join(sorted(contracts))
            raise DatamallError(f"{place}: no contract for store {store!r}: there are {known}.")
        stores[store] = _store(contracts[store], item, files, f"{place}: store {store}")
    return Authority(
        authority=name,
        title=str(document["title"]),
        synthetic=document["synthetic"],
        description=str(document.get("description", "")),
        files=files,
        stores=stores,
        as_of=_as_of(document.get("as_of"), place),
    )


def _as_of(given: Any, place: str) -> date | None:
    try:
        return None if given is None else date.fromisoformat(str(given))
    except ValueError:
        raise DatamallError(f"{place}: as_of is a day such as 2026-12-31.") from None


def _store(contract: Contract, item: Any, files: Mapping[str, RawFile], place: str) -> StoreMapping:
    if isinstance(item, dict) and "sources" in item:
        keys(item, ("sources", "conflicts"), place)
        if not isinstance(item["sources"], list) or len(item["sources"]) < 2:
            raise DatamallError(
                f"{place}: sources must be a list of two or more, each with `file` and `columns`; "
                "a single one needs no `sources`."
            )
        sources = [
            _source(contract, each, files, f"{place}, source {number}")
            for number, each in enumerate(item["sources"], 1)
        ]
    else:
        keys(item, (*SOURCE_KEYS, "sources", "conflicts"), place)
        own = {key: value for key, value in item.items() if key != "conflicts"}
        sources = [_source(contract, own, files, place)]
    filled = [c.name for c in contract.columns if any(source.has(c.name) for source in sources)]
    given = item.get("conflicts")
    known = None if given is None else read_as(Conflicts, given, f"{place}: conflicts")
    return StoreMapping(contract.name, tuple(sources), tuple(filled), known)


def _source(contract: Contract, item: Any, files: Mapping[str, RawFile], place: str) -> Source:
    keys(item, SOURCE_KEYS, place, needed=("file", "columns"))
    if item["file"] not in files:
        raise DatamallError(
            f"{place}: no file is called {item['file']!r}: there are {', '.join(files)}."
        )
    file, sheet = files[item["file"]], item.get("sheet")
    if (file.format == "xlsx") != ("sheet" in item):
        raise DatamallError(
            f"{place}: name the sheet of the workbook: `sheet`."
            if file.format == "xlsx"
            else f"{place}: sheet has no meaning for {file.format}: leave it out."
        )
    for key, value in (("sheet", sheet), ("where", item.get("where"))):
        if key in item and (not isinstance(value, str) or not value.strip()):
            raise DatamallError(f"{place}: {key} must be text: write it between quotes.")
    if not isinstance(item.get("distinct", False), bool):
        raise DatamallError(f"{place}: distinct must be true or false.")
    columns = {column.name: column for column in contract.columns}
    fillings = {}
    for name, filling in mapping(item["columns"], place, "columns").items():
        if name not in columns:
            raise DatamallError(
                f"{place}: the contract has no column {name!r}: there are {', '.join(columns)}."
            )
        fillings[name] = filling_of(columns[name], filling, file, f"{place}, column {name}")
    tally = _events(contract, item, fillings, place)
    for column in contract.columns:
        if column.required and column.name not in (*fillings, tally):
            raise DatamallError(
                f"{place}: the contract requires column {column.name}: say how it is filled."
            )
    if file.system.moves and (X in fillings) != (Y in fillings):
        raise DatamallError(
            f"{place}: x or y of {file.system.crs} is filled, and cannot be converted without the "
            "other: fill both."
        )
    if not any(filling.headers for filling in fillings.values()):
        raise DatamallError(f"{place}: no column is read from the file: fill one `from` a header.")
    totals, without = _totals(item.get("totals", {}), place)
    wanted = [f"({item['where']}\n)"] if "where" in item else []
    read = _where(item["where"], place) if "where" in item else ()
    return Source(
        file=file,
        sheet=sheet,
        where=" AND ".join([*wanted, *without]) or None,
        where_headers=(*read, *totals),
        totals=totals,
        unpivot=unpivot_of(item["unpivot"], fillings, place) if "unpivot" in item else None,
        distinct=item.get("distinct", False),
        tally=tally,
        event=tuple(item["events"]) if tally else (),
        later=_later(contract, item, fillings, place),
        columns={name: fillings[name] for name in columns if name in fillings},
    )


def _events(
    contract: Contract, item: dict[str, Any], fillings: Mapping[str, Filling], place: str
) -> str | None:
    if "events" not in item:
        return None
    headers = item["events"]
    if not isinstance(headers, list) or not all(isinstance(h, str) and h.strip() for h in headers):
        raise DatamallError(
            f"{place}: events lists the headers that identify an event, such as [id]; [] where "
            "each row is one and has no identifier."
        )
    if contract.tally is None:
        raise DatamallError(
            f"{place}: a row of {contract.name} is a statement, not a tally of events: leave "
            "`events` out."
        )
    if contract.tally in fillings:
        raise DatamallError(
            f"{place}: events are counted into {contract.tally}: leave it out of `columns`."
        )
    if item.get("distinct"):
        raise DatamallError(f"{place}: equal rows are counted or kept once: events or distinct.")
    return contract.tally


def _later(
    contract: Contract, item: dict[str, Any], fillings: Mapping[str, Filling], place: str
) -> str:
    later = item.get("later", "conflicts")
    if later not in LATER:
        raise DatamallError(f"{place}: later is one of {', '.join(LATER)}, not {later!r}.")
    if later == "adds" and contract.tally is None:
        raise DatamallError(
            f"{place}: a row of {contract.name} is a statement, which nothing can be added to: say "
            "`later: replaces` where a later one corrects it."
        )
    if later == "replaces" and item.get("events") == []:
        raise DatamallError(
            f"{place}: an event without an identifier cannot be found again, so that nothing "
            "replaces it: name its headers in `events`, or say `later: replaces period`."
        )
    if later == "replaces period" and (
        contract.period is None or contract.period[0] not in fillings
    ):
        raise DatamallError(
            f"{place}: {contract.name} has no date here, so that no period can be replaced: say "
            "`later: replaces`."
        )
    return str(later)


def _where(text: str, place: str) -> tuple[str, ...]:
    headers, kind = expression_of(text, f"{place}: where")
    if not headers:
        raise DatamallError(f"{place}: where reads no field: `{text}` is the same for all records.")
    if kind != "BOOLEAN":
        raise DatamallError(f"{place}: where: `{text}` gives {kind}: write what is true or false.")
    return headers


def _totals(item: Any, place: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the headers that tell totals, and SQL that is true for other records."""
    good = isinstance(item, dict) and all(
        isinstance(words, list) and all(isinstance(word, str) for word in words)
        for words in item.values()
    )
    if not good:
        raise DatamallError(
            f"{place}: totals says which words mark a total under which header, such as "
            '{Street: ["Total"]}; {Street: []} where none is one.'
        )
    listed = {
        header: ", ".join(literal(plain(word).strip().lower()) for word in words)
        for header, words in item.items()
        if words
    }
    wanted = [f"lower({identifier(header)}) NOT IN ({words})" for header, words in listed.items()]
    return tuple(item), wanted
