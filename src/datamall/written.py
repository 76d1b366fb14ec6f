"""What a person writes, read as a dataclass: its annotations are what may be written.

A dataclass says once which words there are, which of them are needed and what each may hold::

    @dataclass(frozen=True)
    class Step:
        to: Literal["flagged", "visited"]
        arms: tuple[str, ...] = ()
        share: Annotated[float, Ends(0, below=1)] = 0.5

    read_as(Step, {"to": "visited", "share": 2}, "the step")

refuses: *the step: share is 2: it must be a number from 0 and below 1.* A rule across words stands
in ``__post_init__`` of the dataclass, as a `DatamallError`; the place is put before its sentence.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from datamall.errors import DatamallError

T = TypeVar("T")
SCALARS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Ends:
    """Which numbers are allowed: from `low`, up to `high`, and less than `below`."""

    low: float = -math.inf
    high: float = math.inf
    below: float = math.inf

    def hold(self, value: float) -> bool:
        """Whether a number is allowed."""
        return self.low <= value <= self.high and (value < self.below or self.below == math.inf)

    def __str__(self) -> str:
        named = (("from", self.low), ("to", self.high), ("and below", self.below))
        return "".join(f" {word} {end:g}" for word, end in named if math.isfinite(end))


@dataclass(frozen=True)
class Filled:
    """Texts, lists and mappings that are not empty."""

    def hold(self, value: Any) -> bool:
        """Whether there is anything in it but spaces."""
        return bool(value.strip() if isinstance(value, str) else value)

    def __str__(self) -> str:
        return ", not empty"


Text = Annotated[str, Filled()]


def read_as(kind: type[T], given: Any, where: str) -> T:
    """Return what a person wrote as a dataclass.

    Parameters
    ----------
    kind
        A dataclass whose fields are annotated with ``str``, ``int``, ``float``, ``bool``,
        ``None``, ``Any``, ``Literal``, ``tuple[…, ...]``, ``Mapping[str, …]``, other dataclasses,
        unions of these, or these ``Annotated`` with `Ends` or `Filled`. A field without a default
        is needed; null stands for the default of any other.
    given
        What a reader of YAML or JSON returns. Whole numbers are numbers too; nothing else is
        converted, so that neither ``yes`` nor 1 becomes true.
    where
        What `given` is, at the head of an error: a file, and the place in it.

    Raises
    ------
    DatamallError
        For the first mistake, with its place, and with what may be written there.
    """
    if not isinstance(given, Mapping):
        raise DatamallError(f"{where}: write `word: value` lines here, not {given!r:.60}.")
    known = {field.name: field for field in fields(kind) if field.init}  # type: ignore[arg-type]
    for word in given:
        if word not in known:
            raise DatamallError(f"{where}: unknown key {word!r}: there are {', '.join(known)}.")
    made = {}
    for word, field in known.items():
        optional = (field.default, field.default_factory) != (MISSING, MISSING)
        wanted = _hints(kind)[word]
        if word not in given and not optional:
            raise DatamallError(f"{where}: {word} is missing: it must be {_words(wanted)}.")
        if not (optional and given.get(word) is None):
            made[word] = _value(wanted, given[word], where, word)
    try:
        return kind(**made)
    except DatamallError as error:
        raise DatamallError(f"{where}: {error}") from None


_hints: Callable[[Any], dict[str, Any]] = cache(partial(get_type_hints, include_extras=True))


def _value(wanted: Any, given: Any, where: str, word: str) -> Any:
    """Return a value as its annotation wants it."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if is_dataclass(wanted):
        return read_as(wanted, given, f"{where}, {word}")  # type: ignore[arg-type]
    if origin is Annotated and _fits(parts[0], given):
        made = _value(parts[0], given, where, word)
        if all(rule.hold(made) for rule in parts[1:]):
            return made
    elif origin in (Union, UnionType):
        # A member that is a list or a mapping says best what is wrong in it.
        for part in sorted(parts, key=_depth):
            if _fits(part, given):
                return _value(part, given, where, word)
    elif origin is tuple and isinstance(given, list | tuple):
        items = [
            _value(parts[0], each, where, _item(word, n, each)) for n, each in enumerate(given)
        ]
        texts = [each for each in items if isinstance(each, str)]
        double = [each for each in texts if texts.count(each) > 1]
        if double:
            raise DatamallError(f"{where}: {word} has {double[0]!r} twice: keep one.")
        return tuple(items)
    elif origin is not None and origin is not Literal and isinstance(given, Mapping):
        return {str(k): _value(parts[1], each, where, f"{word}, {k}") for k, each in given.items()}
    elif _fits(wanted, given):
        return float(given) if wanted is float else given
    raise DatamallError(f"{where}: {word} is {given!r:.60}: it must be {_words(wanted)}.")


def _item(word: str, number: int, given: Any) -> str:
    name = given.get("name") if isinstance(given, Mapping) else None
    return f"{word} {name!r}" if name else f"{word}, number {number + 1}"


def _depth(wanted: Any) -> bool:
    return get_origin(wanted) not in (None, Literal) or is_dataclass(wanted)


def _fits(wanted: Any, given: Any) -> bool:
    """Whether a value is of a kind, whatever it holds."""
    origin = get_origin(wanted)
    if origin is Annotated:
        return _fits(get_args(wanted)[0], given)
    if origin is Literal:
        return any(type(given) is type(each) and given == each for each in get_args(wanted))
    if origin is tuple:
        return isinstance(given, list | tuple)
    if is_dataclass(wanted) or origin is not None:
        return isinstance(given, Mapping)
    if wanted is float:
        return type(given) in (int, float) and math.isfinite(given)
    return wanted is Any or type(given) is wanted


def _words(wanted: Any) -> str:
    """Return what may be written, in words."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return _words(parts[0]) + "".join(map(str, parts[1:]))
    if origin is Literal:
        return " or ".join([", ".join(map(str, parts[:-1])), str(parts[-1])][len(parts) == 1 :])
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts if part is not NoneType)
    if origin is tuple:
        return f"a list, each {_words(parts[0])}"
    return SCALARS.get(wanted, "`word: value` lines")
