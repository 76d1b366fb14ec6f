"""The published audits by the way of the data: from the files through intake to the notebook."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from datamall.fairness import Audit, Plan
from datamall.fairness.verdict import FAIL, PASS
from datamall.fraud.audit import display, information, knowledge, published, sources, words
from datamall.mall.access import checkout
from datamall.mall.fetch import fetch
from datamall.mall.intake import intake

STORE = "welfare.audit_counts"
FILES = ("controlled_people", "grant_control")
# Our name of a figure → that of its shares in the published values.
SHARES = {
    "high risk by the model": "high_risk",
    "chosen, of everybody": "selected",
    "chosen by people, of high risk": "selected_given_high",
    "chosen by people, of low risk": "selected_given_low",
    "chosen by people, risk unknown": "selected_given_unknown",
}


@pytest.fixture(scope="module")
def counts(shared: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the counts that the purpose hands out, taken in from the original files."""
    project = tmp_path_factory.mktemp("published")
    shutil.copytree(root / "data" / "contracts", project / "data" / "contracts")
    shutil.copy(root / "data" / "purposes.yaml", project / "data")
    shutil.copy(root / "params.yaml", project)
    mapping = yaml.safe_load((root / "data" / "authorities" / "open-data.yaml").read_text("utf-8"))
    mapping["files"] = {name: mapping["files"][name] for name in FILES}
    mapping["stores"] = {STORE: mapping["stores"][STORE]}
    (project / "data" / "authorities").mkdir()
    path = project / "data" / "authorities" / "open-data.yaml"
    path.write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
    fetch(project, "open-data", shared / "real")
    intake(project, "open-data", STORE)
    folder = tmp_path_factory.mktemp("extract")
    checkout(project, "open-data", "fraud-audit", folder)
    table = sources.official({STORE: pd.read_parquet(folder / STORE)})
    assert isinstance(table, pd.DataFrame)
    return table


@pytest.fixture(scope="module")
def truth(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "truth" / "external_truth.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    section = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["fraud_audit"]
    return Plan.read({name: value for name, value in section.items() if name != "crossed"})


@pytest.mark.parametrize("year", ["2014", "2019"])
def test_shares_of_the_control_of_grants_to_the_printed_digit(
    counts: pd.DataFrame, truth: dict[str, Any], year: str
) -> None:
    own = counts[counts["study"].eq(f"DUO {year}") & counts["attribute"].eq("origin")]
    for figure, name in SHARES.items():
        found = published.of_figure(own, figure)
        assert found is not None
        # As printed; the rates of the audit are the nearest that all printed numbers allow.
        groups, printed = found.proportions(["origin"], ["selection_rate"])
        chosen, of = printed[list(groups["origin"]).index("Netherlands"), 0]
        assert chosen / of == pytest.approx(truth[f"duo_{year}"][name][1], abs=1e-12), figure


def test_published_ratios_and_what_their_own_counts_give(
    counts: pd.DataFrame, truth: dict[str, Any]
) -> None:
    table = published.rerun(counts)
    assert isinstance(table, pd.DataFrame)
    for year in ("2014", "2019"):
        own = table[table["study"] == f"DUO {year}"].set_index("figure")
        assert own["published"].tolist() == truth[f"duo_{year}"]["published_ratios"]
        low = truth[f"duo_{year}"]["low_ratio_from_direct_column"]
        assert own.loc["chosen by people, of low risk", "ratio"] == round(low, 2)
        # In print 1.8 and 4.2.
        assert own.loc["chosen by people, of low risk", "why"].startswith("in print two rounded")
        assert own.loc["high risk by the model", "why"] == "confirmed"
    lifts = table.loc[table["study"] == "Sweden 2017", "ratio"].tolist()
    known = truth["sweden_2017_temporary_parental_benefit"]["lift"]
    assert lifts == [round(known[name], 2) for name in ("published", "drop", "strict")]
    assert ((table["low"] < table["ratio"]) & (table["ratio"] < table["high"])).all()


def test_in_2019_the_model_passes_and_the_people_who_chose_fail(
    counts: pd.DataFrame, plan: Plan
) -> None:
    result = knowledge.judged(counts, plan)
    assert isinstance(result, Audit)
    table = display.comparisons(result, True)
    far = table[table["group"].eq("outside Europe")].set_index("check")["verdict"]
    assert far.to_dict() == {"flagged": PASS, "chosen": FAIL}
    assert words.overall(result) == FAIL
    assert words.answer(result).startswith(
        "Do not deploy. In DUO 2019, people from outside Europe are chosen by a caseworker, once "
        "flagged, 3.5 times as often as others"
    )


def test_an_outcome_of_one_arm_only_is_found(counts: pd.DataFrame) -> None:
    only = information.only_in(counts)
    assert only.to_numpy().tolist() == [["Sweden 2017", "control investigation", "profile", 759]]
