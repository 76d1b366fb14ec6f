"""Raw files as a mapping describes them: where they are, in which form, how they are fetched."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.clocks import Time
from datamall.mall.expressions import literal, type_of
from datamall.mall.places import GRID, System, checked_crs
from datamall.project import raw_folder, reports_folder
from datamall.tabular.form import MEANING, Form, checked
from datamall.written import read_as

FETCHED = ("sha256", "source", "found_under", "url")
PATHS = ("path", "found_under", "url")  # patterns of days, where `days` is given
WRITTEN = ("decimal", "thousands", "date_format")
FILE_KEYS = (
    "path", "result_of", "format", "days", "delivered", "overwritten", "may_be_empty", "missing",
    "time", "crs",
    *MEANING, *WRITTEN, *FETCHED,
)  # fmt: skip
DAYS = re.compile(r"(\d{4}-\d\d-\d\d)/(\d{4}-\d\d-\d\d)")
MOST_DAYS = 36_600
# Parts of a date in the name of a file, and how many digits each has.
STAMP = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%j": 3, "%H": 2, "%M": 2, "%S": 2}


@dataclass(frozen=True, kw_only=True)
class RawFile(Form):
    """A raw file, or files of one form.

    Attributes
    ----------
    name
        Name in the mapping.
    path
        Path or pattern below `folder`; with `days`, a pattern of dates.
    result_of
        The report whose page shows the file as a result; None: a department delivers it. Each page
        is made anew, so that its results are `overwritten`.
    days
        First and last day, where there is one file a day.
    delivered
        How the name of a file says when it was delivered, such as ``%Y%m%d``: files are taken in
        that order. Without it, in the order of their names.
    overwritten
        Whether the department writes each delivery over the one before, under the same name.
    may_be_empty
        Whether some of the files may hold a header and no records.
    time
        How time stamps are written, if there are any.
    system
        The coordinate system of places in it, and the authority's grid.
    sha256, source, found_under, url
        For files that are fetched: digest (with `days`, of what ``sha256sum`` prints for the files
        in order of their days), where to get the file in words, its path below the folder given by
        ``--from``, and its https address.
    """

    name: str
    path: str
    result_of: str | None
    days: tuple[date, date] | None
    delivered: str | None
    overwritten: bool
    may_be_empty: bool
    time: Time | None
    system: System
    sha256: str | None
    source: str | None
    found_under: str | None
    url: str | None

    def folder(self, root: Path, authority: str) -> Path:
        """Return the folder that an authority's file is in: its raw files, or results of a page."""
        if self.result_of is None:
            return raw_folder(root, authority)
        return reports_folder(root, authority) / "results" / self.result_of

    def on_each_day(self, pattern: str) -> list[str]:
        """Return a pattern of dates filled in for each day; as it is where there are no days."""
        if self.days is None:
            return [pattern]
        first, last = self.days
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return [day.strftime(pattern) for day in days]

    def below(self, folder: Path) -> tuple[list[Path], list[str]]:
        """Return the files that are there, as they were delivered, and the names of others."""
        if self.days is None:
            paths = [path for path in folder.glob(self.path) if path.is_file()]
            return sorted(paths, key=self._order), [] if paths else [self.path]
        names = self.on_each_day(self.path)
        there = [name for name in names if (folder / name).is_file()]
        return [folder / name for name in there], [name for name in names if name not in {*there}]

    def stamp(self, path: Path) -> datetime | None:
        """Return when a file was delivered, as its name says; None where names do not say it.

        Raises
        ------
        DatamallError
            When the name should say it, and does not, or says it twice.
        """
        if self.delivered is None:
            return None
        pattern = re.escape(self.delivered)
        for code, digits in STAMP.items():
            pattern = pattern.replace(code, f"[0-9]{{{digits}}}")
        found = re.findall(f"(?<![0-9]){pattern}(?![0-9])", path.name)
        try:
            (text,) = found
            return datetime.strptime(text, self.delivered)
        except ValueError:
            raise DatamallError(
                f"{path.name} does not say once when it was delivered, as {self.delivered}: rename "
                f"it, or correct `delivered` of the file {self.name} in the mapping."
            ) from None

    def _order(self, path: Path) -> tuple[datetime, str]:
        return self.stamp(path) or datetime.min, path.as_posix()


def keys(item: Any, known: tuple[str, ...], place: str, needed: tuple[str, ...] = ()) -> None:
    """Refuse what is no mapping, has a key that nobody reads or lacks one that is needed."""
    if not isinstance(item, dict):
        raise DatamallError(f"{place}: `key: value` lines are expected here, not {item!r}.")
    for key in item:
        if key not in known:
            raise DatamallError(f"{place}: unknown key {key!r}: there are {', '.join(known)}.")
    for key in needed:
        if key not in item:
            raise DatamallError(f"{place}: the key {key!r} is missing: add it.")


def mapping(item: Any, place: str, name: str) -> dict[str, Any]:
    """Return a mapping of names; refuse anything else, and an empty one."""
    if not isinstance(item, dict) or not item or not all(isinstance(key, str) for key in item):
        raise DatamallError(f"{place}: {name} must hold one or more names with lines below them.")
    return item


def raw_file(name: str, item: Any, place: str, grid: str = GRID) -> RawFile:
    """Return the description of a raw file, checked; `grid` is the authority's.

    Raises
    ------
    DatamallError
        For the first mistake, with its place.
    """
    keys(item, FILE_KEYS, place, needed=("path", "format"))
    if not isinstance(item.get("may_be_empty", False), bool):
        raise DatamallError(f"{place}: may_be_empty must be true or false.")
    if not isinstance(item.get("overwritten", False), bool):
        raise DatamallError(f"{place}: overwritten must be true or false.")
    for key in ("path", "result_of", "days", "delivered", *FETCHED):
        if key in item and not isinstance(item[key], str):
            raise DatamallError(f"{place}: {key} must be text: write it between quotes.")
    form = checked(item, place)
    for key in WRITTEN:
        if key in item and item["format"] == "parquet":
            raise DatamallError(f"{place}: {key} has no meaning for parquet: leave it out.")
    days = _days(item, place)
    _check_path(item, place)
    _check_result(item, place)
    _check_date_format(form["notation"].date_format, place)
    return RawFile(
        name=name,
        path=item["path"],
        result_of=item.get("result_of"),
        days=days,
        delivered=_delivered(item, place),
        overwritten=item.get("overwritten", "result_of" in item),
        may_be_empty=item.get("may_be_empty", False),
        system=System(checked_crs(item["crs"], place) if "crs" in item else grid, grid),
        time=read_as(Time, item["time"], f"{place}, time") if "time" in item else None,
        **form,
        **{key: item.get(key) for key in FETCHED},
    )


def _check_path(item: dict[str, Any], place: str) -> None:
    path = PurePosixPath(item["path"])
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DatamallError(f"{place}: path must lie below data/raw/<authority>, not {path}.")
    if any("**" in part and part != "**" for part in path.parts):
        raise DatamallError(
            f"{place}: path {item['path']!r} has ** beside other characters: write * for any "
            "characters in a name, and **/ for any folders."
        )
    if "sha256" in item and re.search(r"[*?\[]", item["path"]):
        raise DatamallError(f"{place}: a file with a sha256 has a full path, without * or ?.")
    if "sha256" in item and not re.fullmatch(r"[0-9a-f]{64}", item["sha256"]):
        raise DatamallError(f"{place}: sha256 must be 64 lower-case hexadecimal digits.")
    if not item.get("url", "https:").startswith("https:"):
        raise DatamallError(
            f"{place}: url must start with https:, so that nobody changes the file."
        )


def _check_result(item: dict[str, Any], place: str) -> None:
    if "result_of" not in item:
        return
    if not re.fullmatch(r"[a-z][a-z0-9_]*", item["result_of"]):
        raise DatamallError(f"{place}: result_of names a report, such as traffic.")
    for key in ("days", "delivered", "overwritten", *FETCHED):
        if key in item:
            raise DatamallError(f"{place}: a result of a page has no {key}: leave it out.")


def _days(item: dict[str, Any], place: str) -> tuple[date, date] | None:
    if "days" not in item:
        return None
    try:
        found = DAYS.fullmatch(item["days"])
        first, last = (date.fromisoformat(day) for day in found.groups()) if found else (0, 0)
    except ValueError:
        first, last = 0, 0
    if not (isinstance(first, date) and isinstance(last, date) and first <= last):
        raise DatamallError(
            f"{place}: days must be the first and the last day, such as 2025-01-01/2025-12-31, "
            f"not {item['days']!r}."
        )
    if (last - first).days >= MOST_DAYS:
        raise DatamallError(f"{place}: days are more than a hundred years: correct one of the two.")
    for key in PATHS:
        if key in item and first.strftime(item[key]) == (first + timedelta(1)).strftime(item[key]):
            raise DatamallError(
                f"{place}: {key} gives the same name on two days: write where the date stands "
                "in it, such as counts_%Y-%m-%d.csv."
            )
    if re.search(r"[*?\[]", item["path"]):
        raise DatamallError(f"{place}: with days, path has dates in it and no * or ?.")
    return first, last


def _delivered(item: dict[str, Any], place: str) -> str | None:
    written: str | None = item.get("delivered")
    if written is None:
        return None
    if "days" in item:
        raise DatamallError(f"{place}: with `days` each file is of its day: leave delivered out.")
    codes = re.findall("%.?", written)
    day = {"%j"} if "%j" in codes else {"%m", "%d"}
    if not ({*codes} <= STAMP.keys() and day <= {*codes} and {"%Y", "%y"} & {*codes}):
        raise DatamallError(
            f"{place}: delivered says how a file's name gives the day, such as %Y-%m-%d or "
            f"%Y%m%d_%H%M, not {written!r}: codes are {', '.join(STAMP)}."
        )
    return written


def _check_date_format(written: str, place: str) -> None:
    known = written
    try:
        type_of(f"strptime('', {literal(written)})", {})
    except DatamallError:
        known = ""
    # Case matters: %m is a month and %M are minutes, with which every date is in January.
    codes = set(re.findall(r"%-?([A-Za-z])", known.replace("%%", "")))
    if not (codes & set("yY") and ("j" in codes or (codes & set("mbB") and "d" in codes))):
        raise DatamallError(
            f"{place}: date_format {written!r} is no date format: write it like %d-%m-%Y (%m is "
            "the month, %M are minutes)."
        )
