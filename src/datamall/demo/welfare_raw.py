"""The raw files on welfare, as departments deliver them: Dutch, windows-1252, and with mistakes.

Every mistake is planted on purpose and counted. A faulty row is a real row that was spoilt, so
what it said is lost. A blank field is no mistake but a gap, and is counted apart.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from datamall.demo.draws import expit, logit, stream
from datamall.demo.mistakes import Fault, spoil
from datamall.demo.raw import Delivery, delivery
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
CONTRADICTIONS = 40  # pairs per 100,000 rows
FILE_FAULTS = (
    Fault("missing required field", 40, (("Cliëntnummer", ""),)),
    Fault(
        "number in another form", 50, (("Cliëntnummer", "BU-2024/17"), ("Cliëntnummer", "bu100x"))
    ),
    Fault("impossible year of birth", 60, (("Geboortejaar", "1874"), ("Geboortejaar", "2042"))),
    Fault("negative count", 50, (("Kinderen", "-1"), ("Maanden bijstand", "-3"))),
    Fault("unknown code", 80, (("Leefvorm", "LAT-relatie"), ("Geslacht", "X"), ("Taaleis", "?"))),
    Fault(
        "text in a number", 60, (("Maanden met inkomsten", "onbekend"), ("Kostendelers", "twee"))
    ),
    Fault("impossible amount", 40, (("Uitkering per maand", "99999,00"),)),
    Fault("amount in another form", 50, (("Uitkering per maand", "€ 1.112,40"),)),
    Fault("too many fields", 30, ((REMARK, "stukken; zie map"),)),
)
INVESTIGATION_FAULTS = (
    Fault("missing required field", 30, (("Cliëntnummer", ""), ("Aanleiding", ""))),
    Fault("unknown code", 50, (("Leefvorm", "LAT-relatie"), ("Aanleiding", "zie dossier"))),
    Fault("impossible score band", 40, (("Scoreband", "0"), ("Scoreband", "21"))),
    Fault(
        "finding without a visit",
        30,
        (("Huisbezoek", "nee"),),
        lambda table: table["Bevinding"] != "",
    ),
    Fault(
        "visit without being chosen",
        20,
        (("Huisbezoek", "ja"),),
        lambda table: table["Gekozen"] == "nee",
    ),
    Fault(
        "chosen without a reason",
        20,
        (("Aanleiding", "geen"),),
        lambda table: (table["Gekozen"] == "ja") & (table["Huisbezoek"] == "nee"),
    ),
)
PROTECTED_FAULTS = (
    Fault("missing required field", 40, (("Cliëntnummer", ""), ("Herkomst", ""))),
    Fault("unknown code", 60, (("Herkomst", "onbekend"), ("Herkomst", "Neder1and"))),
)


def deliver(
    seed: int, world: WelfareWorld, files: pd.DataFrame, counts: pd.DataFrame
) -> Iterator[Delivery]:
    """Yield people, their investigations and the official counts as raw files with mistakes.

    Parameters
    ----------
    files
        What `welfare_selection.select` returns.
    counts
        What `welfare_counts.count` returns.
    """

    def spoilt(
        name: str, text: pd.DataFrame, faults: tuple[Fault, ...], otherwise: dict[str, str]
    ) -> Delivery:
        rng = stream(seed, f"faults of {name}")
        text["fault"] = ""
        if world.mess:
            text = spoil(rng, world.mess, text, faults, otherwise, CONTRADICTIONS)
        text = text.iloc[np.argsort(rng.random(len(text)), kind="stable")]
        return delivery(name, text.reset_index(drop=True))

    for year in YEARS:
        part = files[files["year"] == year]
        text = _texts(part, FILE)
        text.loc[part["youngest_child"].to_numpy() < 0, FILE["youngest_child"]] = ""
        name = f"bijstand_{year}.csv"
        if world.mess:
            _leave_open(seed, world, part, text, name)
        text[REMARK] = ""
        yield spoilt(name, text, FILE_FAULTS, {"Uitkering per maand": "0,00"})
        text = _texts(part, INVESTIGATION)
        name = f"onderzoeken_{year}.csv"
        yield spoilt(name, text, INVESTIGATION_FAULTS, {"Scoreband": ""})
    text = _texts(files.drop_duplicates("client"), PROTECTED)
    yield spoilt("beschermd.csv", text, PROTECTED_FAULTS, {"Nationaliteit": ""})
    yield _official(counts, world.mess > 0)


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


def _official(counts: pd.DataFrame, mess: bool) -> Delivery:
    """Return the counts of the statistics office, which end in a line about their source."""
    text = _texts(counts, COUNTS).assign(fault="")
    if mess:
        source = dict.fromkeys(text, "") | {"Onderzoek": "Bron: CBS, maatwerktabel"}
        source["fault"] = "missing required field"
        text = pd.concat([text, pd.DataFrame([source])], ignore_index=True)
    return delivery("cbs_tellingen.csv", text)
