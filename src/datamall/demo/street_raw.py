"""The raw files of rounds, of residents' reports and of an action, with counted mistakes."""

from collections.abc import Iterator

import pandas as pd

from datamall.demo.draws import stream
from datamall.demo.enforcement import City
from datamall.demo.mistakes import Fault, one_more, spoil
from datamall.demo.raw import Delivery, delivery, remarks
from datamall.demo.reports import reports
from datamall.demo.rounds import rounds

DAY = {1: "ma", 2: "di", 3: "wo", 4: "do", 5: "vr", 6: "za"}
# What planners note at a stop. The second needs its quotes.
STOP_REMARKS = ("één kant bereikbaar", '"paaltje; sleutel mee"', "niet vóór 7 uur")
STOP_REMARK_SHARE = 0.02
# A plan has few lines: enough per 100,000 for some of each.
ROUND_FAULTS = (
    Fault("unknown cluster", 150, (("Clusternummer", "GR99901"), ("Clusternummer", "GR99902"))),
    Fault("unknown day", 100, (("Dag", "feestdag"), ("Dag", "ma/do"))),
    Fault("impossible time", 75, (("Aanvang", "25:10"), ("Aanvang", "24:00"))),
    Fault("time in words", 50, (("Aanvang", "vroeg"),)),
    Fault("no standing time", 75, (("Stilstand (s)", "0"),)),
    Fault("text in a number", 75, (("Stilstand (s)", "ca. 150"), ("Stilstand (s)", "2 min"))),
    Fault(
        "missing required field",
        125,
        tuple((name, "") for name in ("Clusternummer", "Dag", "Wagen", "Aanvang", "Stilstand (s)")),
    ),
    Fault("too many fields", 50, (("Opmerking", "paaltje; sleutel"),)),
)
ACTION_FAULTS = (
    Fault("unknown cluster", 500, (("Clusternummer", "GR99901"),)),
    Fault("impossible date", 500, (("Vanaf", "31-06-2025"),)),
    Fault("missing required field", 500, (("Geloot", ""),)),
)
DRAWN = {True: "ja", False: "nee"}
CHANNEL = {
    "app": "app",
    "web": "website",
    "telephone": "telefoon",
    "email": "e-mail",
    "unknown": "",
}
CATEGORY = {
    "container full": "Container vol",
    "container broken": "Container defect",
    "bulky waste": "Grofvuil",
    "bags beside container": "Afval naast container",
    "other": "Overig",
}
# What residents write, which intake leaves where it is. The third needs its quotes.
REPORT_REMARKS = ("al een week één bende", "tegenover het café", '"bank; matras"', "stinkt")
REPORT_REMARK_SHARE = 0.3
REPORT_FAULTS = (
    Fault("unknown cluster", 60, (("Clusternummer", "GR99901"), ("Clusternummer", "GR99902"))),
    Fault("closed before opened", 80, (("Afgehandeld", "01-01-2020"),)),
    Fault("its own duplicate", 30, (("Dubbel van", "Meldingsnummer"),)),
    Fault("unknown category", 50, (("Categorie", "Zwerfvuil?"), ("Categorie", ""))),
    Fault("unknown channel", 40, (("Kanaal", "balie"), ("Kanaal", "app?"))),
    Fault("impossible date", 20, (("Ontvangen", "31-02-2025"), ("Ontvangen", "00-00-0000"))),
    Fault("date in another form", 20, (("Ontvangen", "2025/03/31"), ("Afgehandeld", "morgen"))),
    Fault("missing required field", 40, (("Meldingsnummer", ""), ("Ontvangen", ""))),
    Fault("too many fields", 20, (("Toelichting", "bank; matras"),)),
)


def round_file(city: City) -> Delivery:
    """Return the plan of the rounds, by truck, day and turn."""
    rng = stream(city.seed, "faults of rounds")
    plan = rounds(city.seed, city.world, city.places)
    clock = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in plan["start"]]
    table = pd.DataFrame(
        {
            "Wagen": plan["truck"],
            "Dag": plan["weekday"].map(DAY),
            "Volgorde": plan["turn"].astype(str),
            "Clusternummer": plan["cluster"],
            "Aanvang": clock,
            "Stilstand (s)": plan["service_seconds"].astype(str),
            "Opmerking": remarks(rng, len(plan), STOP_REMARKS, STOP_REMARK_SHARE),
            "fault": "",
        },
        dtype=object,
    )
    if city.world.mess:
        otherwise = {"Stilstand (s)": one_more("Stilstand (s)")}
        table = spoil(rng, city.world.mess, table, ROUND_FAULTS, otherwise)
    return delivery("routes.csv", table.sort_index(kind="stable"))


def action_file(city: City) -> Delivery:
    """Return the places for which an action was drawn, with the lot of each."""
    rng = stream(city.seed, "faults of actions")
    actions = city.actions
    table = pd.DataFrame(
        {
            "Clusternummer": actions["cluster"],
            "Maatregel": "Bord vóór de container",
            "Vanaf": actions["first_day"].dt.strftime("%d-%m-%Y"),
            "Geloot": actions["drawn"].map(DRAWN),
            "fault": "",
        },
        dtype=object,
    )
    if city.world.mess and len(table):
        otherwise = {"Geloot": lambda lines: lines["Geloot"].map({"ja": "nee", "nee": "ja"})}
        table = spoil(rng, city.world.mess, table, ACTION_FAULTS, otherwise)
    return delivery("maatregelen.csv", table.sort_index(kind="stable"))


def report_files(city: City) -> Iterator[Delivery]:
    """Yield the reports of each quarter in order of arrival."""
    rng = stream(city.seed, "faults of reports")
    table = reports(city)
    text = pd.DataFrame(
        {
            "Meldingsnummer": table["report"],
            "Ontvangen": table["opened"].dt.strftime("%d-%m-%Y"),
            "Afgehandeld": table["closed"].dt.strftime("%d-%m-%Y").fillna(""),
            "Kanaal": table["channel"].map(CHANNEL),
            "Categorie": table["category"].map(CATEGORY),
            "Clusternummer": table["cluster"].fillna(""),
            "Dubbel van": table["duplicate_of"].fillna(""),
            "Toelichting": remarks(rng, len(table), REPORT_REMARKS, REPORT_REMARK_SHARE),
            "fault": "",
        },
        dtype=object,
    )
    if city.world.mess:
        text = spoil(rng, city.world.mess, text, REPORT_FAULTS, {"Categorie": _another})
    opened = table["opened"].iloc[text.index]
    text["file"] = (
        opened.dt.strftime("meldingen_%Y_k") + opened.dt.quarter.astype(str) + ".csv"
    ).to_numpy()
    for name, part in text.sort_index(kind="stable").groupby("file"):
        yield delivery(str(name), part.drop(columns="file"))


def _another(table: pd.DataFrame) -> pd.Series:
    """Return other categories than these lines have."""
    names = list(CATEGORY.values())
    return table["Categorie"].map(dict(zip(names, names[1:] + names[:1], strict=True)))
