"""What the log of use says of a checkout, granted or refused."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.authorities import NAME
from datamall.mall.contracts import Contract
from datamall.mall.log import logbook
from datamall.mall.log.persons import Kept
from datamall.mall.purposes import Grant, Purpose, Refused
from datamall.mall.sources import Source
from datamall.yamlfile import load_mapping

CHECKOUT, REQUEST, WALL = "checkout", "request", "wall"


@dataclass(frozen=True)
class Used:
    """What is about to be handed out: for which purpose, what of each store (`of_store`), to whom.

    `role` is the one in which it was asked for, where the purpose is for some alone.
    """

    purpose: Purpose
    stores: list[dict[str, Any]]
    role: str | None


def of_store(
    grant: Grant,
    contract: Contract,
    source: Source,
    columns: Sequence[str],
    rows: int,
    who: Kept | None,
) -> dict[str, Any]:
    """Return what the log says of one store.

    Returns
    -------
    dict
        store, version (SHA-256 of its manifest), part (what of it is kept, where that is not all;
        see `datamall.mall.sources.Source`), contract (version), columns (handed out), grain
        (column → how fine, but for values), sums (columns added up; None: row by row), rows
        (handed out), counted, and, of a store of persons: number (column with their numbers), and
        persons and tags (how many, and the SHA-256 of their tags: see `datamall.mall.log.persons`);
        None where the authority does not deliver such a column.
    """
    said: dict[str, Any] = {
        "store": grant.store,
        "version": source.version,
        **({"part": source.part} if source.part else {}),
        "contract": contract.version,
        "columns": list(columns),
        "grain": {
            name: fine
            for name, fine in grant.columns.items()
            if fine != "value" and name in columns
        },
        "sums": None if grant.sums is None else [name for name in grant.sums if name in columns],
        "rows": rows,
        "counted": contract.counted,
    }
    if contract.counted == "persons":
        nobody = dict.fromkeys(("number", "persons", "tags"))
        said |= who.said(contract.person) if who else nobody
    return said


def granted(root: Path, authority: str, used: Used, occasion: str) -> None:
    """Write down what is handed out next.

    Raises
    ------
    DatamallError
        When it cannot be written down: then nothing may be handed out.
    """
    purpose = used.purpose
    logbook.write(
        root,
        CHECKOUT,
        outcome="granted",
        occasion=occasion,
        authority=authority,
        purpose=purpose.name,
        title=purpose.title,
        owner=purpose.owner,
        gdpr=purpose.legal_basis["gdpr"],
        statute=purpose.legal_basis["statute"],
        held_back=asdict(purpose.held_back) if purpose.held_back else None,
        stores=used.stores,
        **({"role": used.role} if used.role else {}),
    )


def refused(root: Path, authority: str, purpose: str | None, occasion: str, reason: str) -> None:
    """Write down that something was refused, with the code of the reason.

    Names that are in no register are left out: whoever asks could have put anything into them.
    """
    logbook.write(
        root,
        REQUEST if purpose is None else CHECKOUT,
        outcome="refused",
        reason=reason,
        occasion=occasion,
        authority=_known(root, authority),
        purpose=purpose if purpose in _registered(root) else None,
    )


def refused_at_the_wall(root: Path, authority: str, occasion: str, kind: str) -> None:
    """Write down that a kernel tried what the wall refuses, by its kind alone."""
    known = _known(root, authority)
    logbook.write(root, WALL, outcome="refused", reason=kind, occasion=occasion, authority=known)


def reason(error: Exception) -> str:
    """Return the code of a reason: of a `Refused` its own, of other errors their kind."""
    if isinstance(error, Refused):
        return error.code
    return "mistake" if isinstance(error, DatamallError) else type(error).__name__


def _known(root: Path, authority: str) -> str | None:
    found = NAME.fullmatch(authority) and (root / f"data/authorities/{authority}.yaml").is_file()
    return authority if found else None


def _registered(root: Path) -> dict[str, Any]:
    try:
        return load_mapping(root / "data" / "purposes.yaml", "data/purposes.yaml")
    except (DatamallError, OSError):
        return {}
