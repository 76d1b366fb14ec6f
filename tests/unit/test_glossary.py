"""The glossary has every word of the audit, in two languages, and points at code that there is."""

import importlib
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from datamall.fairness.comparison import WORST
from datamall.fairness.counting import NO, TOTAL, YES
from datamall.fairness.inference import Estimand
from datamall.fairness.metrics import FN, FP, RECORDS, TN, TP, Count, Metric
from datamall.fairness.plan import STAGES
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS

HEADER = ("term", "in Dutch", "here it means", "in code", "source")
COUNTS: dict[Count, str] = {TP: "TP", FP: "FP", FN: "FN", TN: "TN"}
COUNTS |= {(YES, TOTAL): "selected", (NO, TOTAL): "not selected"}
COUNTS |= {(TOTAL, YES): "with the outcome", (TOTAL, NO): "without the outcome"}


@pytest.fixture(scope="module")
def entries(root: Path) -> dict[str, dict[str, str]]:
    text = (root / "docs" / "glossary.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(row) == len(HEADER) for row in rows)
    found = [row for row in rows if row[0] != HEADER[0] and set(row[0]) != {"-"}]
    assert len({row[0] for row in found}) == len(found), "a term stands twice"
    return {row[0]: dict(zip(HEADER, row, strict=True)) for row in found}


def formula(metric: Metric) -> str:
    own, of = ([COUNTS[count] for count in v] for v in (metric.numerator, metric.denominator))
    top = " + ".join(own)
    return f"{f'({top})' if len(own) > 1 else top} / ({' + '.join(of)})"


@pytest.mark.parametrize("name", RECORDS)
def test_every_metric_has_its_entry_with_its_formula(entries: Any, name: str) -> None:
    metric = RECORDS[name]
    entry = entries[metric.term]
    assert entry["in code"] == f"`{name}`"
    assert entry["here it means"].endswith(f"`{formula(metric)}`")
    if metric.parity:
        assert f"`{name}`" in entries[metric.parity]["in code"]


WORDS = [
    *(PASS, FAIL, NOT_ENOUGH, WORST, *STAGES),
    *(f"estimand: {word}" for word in get_args(Estimand)),
    *("equalized odds", "disparate impact", "selective labels", "empirical Bayes"),
    *("equivalence test (TOST)", "intersection–union test", "random arm", "gap", "tolerance"),
    *("rounding interval", "secondary suppression", "intended decision"),
]


@pytest.mark.parametrize("word", WORDS)
def test_every_verdict_and_step_has_its_entry(entries: Any, word: str) -> None:
    assert word in entries


def test_every_entry_is_whole_and_in_both_languages(entries: Any) -> None:
    for term, entry in entries.items():
        assert entry["in Dutch"] and entry["here it means"], term
        assert not entry["here it means"].endswith("."), term


def test_what_an_entry_names_in_code_is_there(entries: Any) -> None:
    for term, entry in entries.items():
        for name in re.findall("`([^`]+)`", entry["in code"]):
            assert name in RECORDS or there(name.split(".")), (term, name)


def there(path: list[str]) -> bool:
    for i in range(len(path), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(["datamall", *path[:i]]))
        except ModuleNotFoundError:
            continue
        for name in path[i:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False
