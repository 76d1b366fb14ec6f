"""What a chapter of an analysis needs, and what happens where an authority cannot give it.

Chapters degrade, notebooks do not: a chapter whose columns are missing returns an `Absent`, a
sentence that takes the place of its table or figure.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

REGISTRY: dict[str, list["Chapter"]] = {}  # package → its chapters
REGISTERS = "mall."


@dataclass(frozen=True)
class Absent:
    """A chapter that could not run.

    Attributes
    ----------
    chapter
        Title of the chapter.
    reason
        Sentence that names the missing columns.
    """

    chapter: str
    reason: str

    @property
    def why(self) -> str:
        """The reason as it goes on after a colon, without the words that open it by itself."""
        return self.reason.removeprefix("Not possible here: ")

    # Else Python would go through it by its items, each of which is itself, without an end.
    __iter__ = None

    def head(self, rows: int) -> "Absent":
        """Return itself: the first rows of what is missing are missing too."""
        return self

    def __getitem__(self, columns: object) -> "Absent":
        """Return itself: the columns of what is missing are missing too."""
        return self


def passes_absent(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function that is given an `Absent` among its arguments return it instead of running."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        found = (value for value in (*args, *kwargs.values()) if isinstance(value, Absent))
        return next(found, None) or function(*args, **kwargs)

    return run


@dataclass(frozen=True)
class Chapter:
    """A chapter and its requirements, as ``store.column`` names.

    Attributes
    ----------
    title
        Title, as printed on the page and by ``datamall check``.
    columns
        Columns that must be there.
    varying
        Columns that must be there with at least two different values; a constant filled in by
        a mapping does not do.
    """

    title: str
    columns: tuple[str, ...]
    varying: tuple[str, ...]

    def absent(
        self,
        stores: Mapping[str, Collection[str]],
        constant: Collection[str],
        unfilled: Collection[str] = (),
    ) -> Absent | None:
        """Return what is not possible for want of a delivery, or None.

        Parameters
        ----------
        stores
            Store → its columns, of those delivered.
        constant
            Columns, as ``store.column``, that have one value only.
        unfilled
            Columns, as ``store.column``, that have no value at all, and stores without rows.
        """
        missing, rowless, never = [], [], []
        for name in (*self.columns, *self.varying):
            store, column = name.rsplit(".", 1)
            if store in unfilled:
                rowless.append(f"the store {store}")
            elif name in unfilled:
                never.append(name)
            elif column not in stores.get(store, ()):
                missing.append(name if store in stores else f"the store {store}")
        sentences = {
            "the authority does not deliver {}": missing,
            "{} holds no rows": rowless,
            "{} was never filled": never,
            "{} has one value only": [name for name in self.varying if name in constant],
        }
        parts = [
            sentence.format(" and ".join(dict.fromkeys(names)))
            for sentence, names in sentences.items()
            if names
        ]
        return Absent(self.title, f"Not possible here: {'; '.join(parts)}.") if parts else None


def unfilled(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of an extract without any value and its stores without rows, by name.

    A column that nobody ever filled is missing: it says neither no nor nought. Not so in the mall's
    own registers, which the door makes: there nothing means that there is nothing.
    """
    found = []
    for store, table in data.items():
        if store.startswith(REGISTERS):
            continue
        if not len(table):
            found.append(store)
            continue
        for column, values in table.items():
            # The first value mostly tells; columns may have millions.
            if values.head(1).isna().all() and values.isna().all():
                found.append(f"{store}.{column}")
    return tuple(found)


def _filled(data: Mapping[str, Any], never: Collection[str]) -> Mapping[str, Any]:
    """Return an extract without what is `unfilled`; the same object where all is filled."""
    if not never:
        return data
    return {
        store: table[[column for column in table if f"{store}.{column}" not in never]]
        for store, table in data.items()
        if store not in never
    }


def needs(
    title: str, *columns: str, varying: tuple[str, ...] = (), blank: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what a chapter function needs of the extract, its first argument.

    Parameters
    ----------
    title
        Title of the chapter.
    columns, varying
        See `Chapter`; names are ``department.store.column``.
    blank
        Whether no value is an answer in every column, as "not visited" is. Else a column without
        any value counts as not delivered.

    Returns
    -------
    Callable
        Decorator; the decorated function returns an `Absent` instead of running when the extract (a
        mapping from store to DataFrame) lacks something. It is given the extract without what is
        `unfilled`, so that a column without values is to it a column that is not there. The
        chapter is listed in `REGISTRY` under the package that defines it.
    """
    chapter = Chapter(title, columns, varying)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        package = function.__module__.removeprefix("datamall.").split(".")[0]
        REGISTRY.setdefault(package, []).append(chapter)

        @wraps(function)
        def run(data: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
            never = () if blank else unfilled(data)
            known = _filled(data, never)
            stores = {store: set(table.columns) for store, table in known.items()}
            constant = []
            for name in varying:
                store, column = name.rsplit(".", 1)
                if column in stores.get(store, ()) and known[store][column].nunique() < 2:
                    constant.append(name)
            return chapter.absent(stores, constant, never) or function(known, *args, **kwargs)

        return run

    return decorate
