"""The raw files on welfare, as departments deliver them: Dutch, windows-1252, and with mistakes.

Every mistake is planted on purpose and counted. A faulty row is a real row that was spoilt, so
what it said is lost. A blank field is no mistake but a gap, and is counted apart.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from datamall.demo.draws import Integers, expit, logit, sample, stream
from datamall.demo.welfare_people import YEARS
from datamall.demo.welfare_words import COUNTS, FILE, INVESTIGATION, PROTECTED, REMARK, WORDS
from datamall.demo.welfare_world import WelfareWorld

# Columns that caseworkers leave open, and how often.
OPEN = {
    "days_at_address": 0.02,
    "moves": 0.02,
    "language_requirement": 0.05,
    "skills": 0.06,
    "cause": 0.03,
    "months_since_review": 0.015,
    "income_variation": 0.01,
}
DUPLICATES = 0.003  # share of the rows that is delivered twice
CONTRADICTIONS = 0.0004  # share of the rows that a second row contradicts
# Name, rows per 10,000, and which text stands in which column.
Faults = tuple[tuple[str, float, tuple[tuple[str, str], ...]], ...]
FILE_FAULTS: Faults = (
    ("missing required field", 4, (("Cliëntnummer", ""),)),
    ("number in another form", 5, (("Cliëntnummer", "BU-2024/17"), ("Cliëntnummer", "bu100x"))),
    ("impossible year of birth", 6, (("Geboortejaar", "1874"), ("Geboortejaar", "2042"))),
    ("negative count", 5, (("Kinderen", "-1"), ("Maanden bijstand", "-3"))),
    ("unknown code", 8, (("Leefvorm", "LAT-relatie"), ("Geslacht", "X"), ("Taaleis", "?"))),
    ("text in a number", 6, (("Maanden met inkomsten", "onbekend"), ("Kostendelers", "twee"))),
    ("impossible amount", 4, (("Uitkering per maand", "99999,00"),)),
    ("amount in another form", 5, (("Uitkering per maand", "€ 1.112,40"),)),
    ("too many fields", 3, ((REMARK, "stukken; zie map"),)),
)
INVESTIGATION_FAULTS: Faults = (
    ("missing required field", 3, (("Cliëntnummer", ""), ("Aanleiding", ""))),
    ("unknown code", 5, (("Leefvorm", "LAT-relatie"), ("Aanleiding", "zie dossier"))),
    ("impossible score band", 4, (("Scoreband", "0"), ("Scoreband", "21"))),
    ("finding without a visit", 3, (("Huisbezoek", "nee"),)),
    ("visit without being chosen", 2, (("Huisbezoek", "ja"),)),
    ("chosen without a reason", 2, (("Aanleiding", "geen"),)),
)
PROTECTED_FAULTS: Faults = (
    ("missing required field", 4, (("Cliëntnummer", ""), ("Herkomst", ""))),
    ("unknown code", 6, (("Herkomst", "onbekend"), ("Herkomst", "Neder1and"))),
)
# Rows of which some faults are made: only there are they what their name says.
WHERE: dict[str, Callable[[pd.DataFrame], Any]] = {
    "finding without a visit": lambda table: table["Bevinding"] != "",
    "visit without being chosen": lambda table: table["Gekozen"] == "nee",
    "chosen without a reason": lambda table: (
        (table["Gekozen"] == "ja") & (table["Huisbezoek"] == "nee")
    ),
}
# What a contradicting second row says otherwise.
OTHERWISE = {"Uitkering per maand": "0,00", "Scoreband": "", "Nationaliteit": ""}


def deliver(
    seed: int, world: WelfareWorld, files: pd.DataFrame, counts: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Turn people, their investigations and the official counts into raw files with mistakes.

    Parameters
    ----------
    files
        What `welfare_selection.select` returns.
    counts
        What `welfare_counts.count` returns.

    Returns
    -------
    files
        Tables of text by file name; each column is a header, each row a line.
    faults
        One row per file and kind of mistake: file, fault, rows (that carry it; of exact
        duplicates the copies, of contradictions both rows), in order of file and fault.
    """
    delivered: dict[str, tuple[pd.DataFrame, Faults]] = {}
    for year in YEARS:
        part = files[files["year"] == year]
        text = _texts(part, FILE)
        text.loc[part["youngest_child"].to_numpy() < 0, FILE["youngest_child"]] = ""
        if world.mess:
            _leave_open(seed, world, part, text, f"bijstand_{year}.csv")
        delivered[f"bijstand_{year}.csv"] = (text.assign(**{REMARK: ""}), FILE_FAULTS)
        text = _texts(part, INVESTIGATION)
        delivered[f"onderzoeken_{year}.csv"] = (text, INVESTIGATION_FAULTS)
    people = files.drop_duplicates("client")
    delivered["beschermd.csv"] = (_texts(people, PROTECTED), PROTECTED_FAULTS)
    tables, frames = {}, []
    for name, (text, kinds) in delivered.items():
        rng = stream(seed, f"faults of {name}")
        text["fault"] = ""
        if world.mess:
            text = _spoil(rng, world.mess, text, kinds)
        text = text.iloc[np.argsort(rng.random(len(text)), kind="stable")]
        frames.append(_count(name, text["fault"][text["fault"] != ""]))
        tables[name] = text.drop(columns="fault").reset_index(drop=True)
    tables["cbs_tellingen.csv"], found = _official(counts, world.mess > 0)
    frames.append(_count("cbs_tellingen.csv", found))
    faults = pd.concat(frames, ignore_index=True).sort_values(["file", "fault"], ignore_index=True)
    return tables, faults


def _texts(part: pd.DataFrame, headers: dict[str, str]) -> pd.DataFrame:
    """Write columns as the department does."""
    texts = {}
    for name, header in headers.items():
        values = part[name]
        if values.dtype == bool:
            written = np.where(values, "ja", "nee")
        elif name in WORDS:
            written = values.map(WORDS[name]).fillna("").to_numpy(dtype=object)
        elif values.dtype.kind == "f":
            written = values.map("{:.2f}".format).str.replace(".", ",").to_numpy(dtype=object)
        else:
            written = values.astype(str).to_numpy(dtype=object)
        texts[header] = np.asarray(written, dtype=object)
    return pd.DataFrame(texts, dtype=object)


def _leave_open(
    seed: int, world: WelfareWorld, part: pd.DataFrame, text: pd.DataFrame, name: str
) -> None:
    """Blank fields, more often where the planted bias says so."""
    rng = stream(seed, f"blanks of {name}")
    exposure = part["exposure"].to_numpy()
    for column, share in OPEN.items():
        usual = min(world.mess * share, 0.5)
        chance = expit(logit(usual) + np.log(world.missing_odds) * exposure)
        text.loc[rng.random(len(part)) < chance, FILE[column]] = ""


def _spoil(
    rng: np.random.Generator, mess: float, text: pd.DataFrame, kinds: Faults
) -> pd.DataFrame:
    """Spoil rows, each with one mistake, then repeat and contradict sound ones."""
    order: Integers = sample(rng, len(text), len(text))
    for name, usual, cases in kinds:
        fits = WHERE.get(name, _any)(text).to_numpy() & (text["fault"] == "").to_numpy()
        rows = order[fits[order]][: _number(mess, usual * len(text) / 1e4)]
        for turn, (header, value) in enumerate(cases):
            text.loc[rows[turn :: len(cases)], header] = value
        text.loc[rows, "fault"] = name
    sound = order[(text["fault"] == "").to_numpy()[order]]
    twice = _number(mess, DUPLICATES * len(text))
    pairs = _number(mess, CONTRADICTIONS * len(text))
    copies = text.iloc[sound[:twice]].assign(fault="exact duplicate")
    second = text.iloc[sound[twice : twice + pairs]]
    text.loc[second.index, "fault"] = "contradiction"
    changed = {header: value for header, value in OTHERWISE.items() if header in text}
    return pd.concat([text, copies, second.assign(fault="contradiction", **changed)])


def _any(table: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=table.index)


def _official(counts: pd.DataFrame, mess: bool) -> tuple[pd.DataFrame, list[str]]:
    """Write the counts of the statistics office, which end in a line about their source."""
    text = _texts(counts, COUNTS)
    if not mess:
        return text, []
    source = dict.fromkeys(text, "") | {"Onderzoek": "Bron: CBS, maatwerktabel"}
    return pd.concat([text, pd.DataFrame([source])], ignore_index=True), ["missing required field"]


def _number(mess: float, usual: float) -> int:
    """Return how often a mistake is made: at least once, so that small worlds have them all."""
    return max(1, round(mess * usual))


def _count(name: str, faults: Any) -> pd.DataFrame:
    """Return file, fault and rows of a list of mistakes."""
    counted = Counter(faults)
    return pd.DataFrame(
        {"file": name, "fault": list(counted), "rows": list(counted.values())},
        columns=["file", "fault", "rows"],
    )
