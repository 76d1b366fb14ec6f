"""`datamall audit` and the page of the fraud audit are the same call: same counts, same answer."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from datamall.demo import welfare
from datamall.fairness import Plan, specification
from datamall.fraud.audit import knowledge, sources
from datamall.yamlfile import PLAN_TEXTS, load_mapping
from tests.truth.test_planted_audit import extract


@pytest.fixture(scope="module")
def section(root: Path) -> dict[str, Any]:
    own = load_mapping(root / "params.yaml", "params.yaml", PLAN_TEXTS)["fraud_audit"]
    return {name: value for name, value in own.items() if name != "crossed"}


@pytest.mark.slow
def test_a_specification_of_the_demos_counts_is_the_page(
    section: dict[str, Any], tmp_path: Path
) -> None:
    plan = Plan.read(section)
    data = extract(welfare.people(2319))
    own = sources.own(data, plan.groups, 1, plan.labels)
    counts = sources.together(own, sources.official(data))
    assert isinstance(counts, pd.DataFrame)
    last = sources.latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    # As anybody would save it: hidden counts as they are printed.
    hidden = last["people"].isna()
    table = last.astype({"people": object}).assign(people=last["people"].astype(object))
    table.loc[hidden, "people"] = "<10"
    table.rename(columns={"people": "count"}).to_csv(tmp_path / "counts.csv", index=False)
    tallies = [study for study in last["study"].unique() if sources.is_own(str(study))]
    spec = section | {"sheet": "counts.csv", "tallies": tallies}
    (tmp_path / "audit.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), "utf-8")
    theirs = specification.run(tmp_path / "audit.yaml")
    ours = knowledge.judged(counts, plan)
    assert theirs.verdict == ours.verdict
    for name in ("comparisons", "figures", "checks", "labels"):
        pd.testing.assert_frame_equal(getattr(theirs, name), getattr(ours, name))
    assert {"FAIL", "PASS", "NOT ENOUGH EVIDENCE"} <= set(ours.comparisons["verdict"])


def test_no_second_judge(root: Path) -> None:
    """Only the engine reckons evidence, corrects it for number, or says PASS and FAIL of it."""
    for path in (root / "src" / "datamall" / "fraud" / "audit").rglob("*.py"):
        text = path.read_text("utf-8")
        for word in ("weighted_holm", "p_outside", "evidence(", "adjust(", "judged(own"):
            assert word not in text or (word, path.name) == ("judged(own", "sensitivity.py"), path
