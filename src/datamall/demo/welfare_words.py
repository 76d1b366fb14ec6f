"""What the departments call it: Dutch headers and values of the raw files on welfare."""

from typing import Any

from datamall.demo.welfare_people import YEARS

FORM = {
    "single": "Alleenstaande",
    "single parent": "Alleenstaande ouder",
    "couple": "Echtpaar of samenwonend",
    "other": "Overig",
}
SEX = {"female": "vrouw", "male": "man"}
LANGUAGE = {0: "niet", 1: "deels", 2: "voldaan"}
CAUSE = {
    "end of work": "beëindiging arbeid",
    "end of relation": "beëindiging relatie",
    "end of other benefit": "beëindiging andere uitkering",
    "asylum": "verblijfsvergunning asiel",
    "study ended": "beëindiging studie",
    "other": "overig",
}
ARM = {
    "profile": "risicoprofiel",
    "random": "steekproef",
    "signal": "signaal",
    "follow-up": "vervolgonderzoek",
    "none": "geen",
    "total": "totaal",
}
FINDING = {
    "nothing": "geen bijzonderheden",
    "administrative": "administratief onjuist",
    "unlawful": "onrechtmatig",
    "unclear": "onduidelijk",
    "total": "totaal",
}
OBJECTION = {"none": "geen", "rejected": "ongegrond", "upheld": "gegrond"}
AGE_BAND = {"under 27": "tot 27", "27 to 44": "27 tot 45", "45 and over": "45 en ouder"}
ORIGIN = {"Netherlands": "Nederland", "Europe": "Europa", "outside Europe": "buiten Europa"}
NATIONALITY = {"Dutch": "Nederlandse", "other": "andere", "both": "beide"}
BAND = {"high": "hoog", "other": "overig", "total": "totaal"}
STAGE = {
    "population": "populatie",
    "flagged": "door profiel aangewezen",
    "chosen": "gekozen",
    "visited": "bezocht",
    "finding": "bevinding",
    "objection": "bezwaar",
    "upheld": "bezwaar gegrond",
}
STUDY = {f"Demo city {year}": f"Demostad {year}" for year in YEARS}
ATTRIBUTE = {"origin": "herkomst", "origin and sex": "herkomst en geslacht"}
GROUP = {
    **ORIGIN,
    **{f"{o}, {s}": f"{ORIGIN[o]}, {SEX[s]}" for o in ORIGIN for s in SEX},
    "total": "totaal",
}
# Header by column, in the order of the file.
FILE = {
    "client": "Cliëntnummer",
    "year": "Peiljaar",
    "birth_year": "Geboortejaar",
    "sex": "Geslacht",
    "living_form": "Leefvorm",
    "children": "Kinderen",
    "youngest_child": "Leeftijd jongste kind",
    "cost_sharers": "Kostendelers",
    "neighbourhood": "Buurtcode",
    "days_at_address": "Dagen op adres",
    "moves": "Verhuizingen 5 jaar",
    "language_requirement": "Taaleis",
    "spoken_language_other": "Andere spreektaal",
    "appearance_remark": "Opm. uiterlijke verzorging",
    "contacts": "Contacten 12 mnd",
    "no_shows": "Niet verschenen 12 mnd",
    "appointments": "Afspraken 12 mnd",
    "plan_steps": "Stappen plan van aanpak",
    "plan_stopped": "Plannen beëindigd",
    "skills": "Competenties",
    "barrier_psychological": "Belemmering psychisch",
    "barrier_physical": "Belemmering lichamelijk",
    "barrier_addiction": "Belemmering verslaving",
    "barrier_financial": "Belemmering financiën",
    "exemption_medical": "Ontheffing medisch",
    "exemption_care": "Ontheffing zorgtaken",
    "cause": "Oorzaak bijstand",
    "previous_applications": "Eerdere aanvragen",
    "months_on_benefit": "Maanden bijstand",
    "months_since_review": "Maanden sinds heronderzoek",
    "income_months": "Maanden met inkomsten",
    "income_differences": "Maanden met verschil",
    "income_variation": "Spreiding inkomsten",
    "late_reports": "Te late meldingen",
    "reports": "Meldingen",
    "documents_missing": "Ontbrekende stukken",
    "repaid_before": "Eerder terugbetaald",
    "vehicle_mismatch": "Voertuig niet opgegeven",
    "benefit": "Uitkering per maand",
}
REMARK = "Opmerking"
INVESTIGATION = {
    "client": "Cliëntnummer",
    "year": "Jaar",
    "sex": "Geslacht",
    "age_band": "Leeftijdsklasse",
    "living_form": "Leefvorm",
    "score_band": "Scoreband",
    "arm": "Aanleiding",
    "flagged": "Aangewezen",
    "chosen": "Gekozen",
    "visited": "Huisbezoek",
    "finding": "Bevinding",
    "objection": "Bezwaar",
}
PROTECTED = {
    "client": "Cliëntnummer",
    "origin": "Herkomst",
    "nationality": "Nationaliteit",
    "disability": "Beperking",
}
COUNTS = {
    "study": "Onderzoek",
    "attribute": "Kenmerk",
    "group": "Groep",
    "arm": "Aanleiding",
    "band": "Klasse",
    "stage": "Fase",
    "outcome": "Uitkomst",
    "people": "Aantal cliënten",
    "rounding": "Afronding",
}
WORDS: dict[str, dict[Any, str]] = {
    "sex": SEX,
    "living_form": FORM,
    "language_requirement": LANGUAGE,
    "cause": CAUSE,
    "arm": ARM,
    "finding": FINDING,
    "objection": OBJECTION,
    "age_band": AGE_BAND,
    "origin": ORIGIN,
    "nationality": NATIONALITY,
    "band": BAND,
    "stage": STAGE,
    "outcome": FINDING,
    "study": STUDY,
    "attribute": ATTRIBUTE,
    "group": GROUP,
}
