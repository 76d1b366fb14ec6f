"""What a chapter of an analysis needs, and what happens where an authority cannot give it.

Chapters degrade, notebooks do not: a chapter whose columns are missing returns an `Absent`, a
sentence that takes the place of its table or figure.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any


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
        self, stores: Mapping[str, Collection[str]], constant: Collection[str]
    ) -> Absent | None:
        """Return what is not possible for want of a delivery, or None.

        Parameters
        ----------
        stores
            Store → its columns, of those delivered.
        constant
            Columns, as ``store.column``, that have one value only.
        """
        missing = []
        for name in (*self.columns, *self.varying):
            store, column = name.rsplit(".", 1)
            if column not in stores.get(store, ()):
                missing.append(name if store in stores else f"the store {store}")
        alike = [name for name in self.varying if name in constant]
        parts = []
        if missing:
            names = " and ".join(dict.fromkeys(missing))
            parts.append(f"the authority does not deliver {names}")
        if alike:
            parts.append(f"{' and '.join(alike)} has one value only")
        return Absent(self.title, f"Not possible here: {'; '.join(parts)}.") if parts else None


REGISTRY: dict[str, list[Chapter]] = {}


def needs(
    title: str, *columns: str, varying: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what a chapter function needs of the extract, its first argument.

    Parameters
    ----------
    title
        Title of the chapter.
    columns, varying
        See `Chapter`; names are ``department.store.column``.

    Returns
    -------
    Callable
        Decorator; the decorated function returns an `Absent` instead of running when the extract (a
        mapping from store to DataFrame) lacks something. The chapter is listed in `REGISTRY`
        under the package that defines it.
    """
    chapter = Chapter(title, columns, varying)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        package = function.__module__.removeprefix("datamall.").split(".")[0]
        REGISTRY.setdefault(package, []).append(chapter)

        @wraps(function)
        def run(data: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
            stores = {store: set(table.columns) for store, table in data.items()}
            constant = []
            for name in varying:
                store, column = name.rsplit(".", 1)
                if column in stores.get(store, ()) and data[store][column].nunique() < 2:
                    constant.append(name)
            return chapter.absent(stores, constant) or function(data, *args, **kwargs)

        return run

    return decorate
