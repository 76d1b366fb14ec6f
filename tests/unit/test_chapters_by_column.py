"""Every chapter, of a town of which one column or store is lacking, empty, equal or nought."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import towns

from datamall.requirements import REGISTRY, Chapter

NOTEBOOKS = ("enforcement", "traffic", "trucks")
OTHERS = {"morning": ("enforcement", "rounds"), "effects": ("enforcement-effects",)}
# One of each kind that once ended a page; all of them are tried by the slow test below.
WORST = {
    "enforcement": [
        "everything absent",
        "enforcement.inspections alone",
        "enforcement.reports alone",
        "enforcement.inspections one row",
        "enforcement.reports one row",
        "enforcement.inspections.with_waste constant",
        "enforcement.inspections.with_waste nought",
        "enforcement.inspections.period_start all missing",
        "enforcement.containers.x absent",
        "enforcement.reports.duplicate_of all missing",
    ],
    "traffic": [
        "everything absent",
        "traffic.counts alone",
        "traffic.counts one row",
        "traffic.counts.count nought",
        "traffic.counts.minutes nought",
        "traffic.counts.day constant",
        "traffic.junctions.lane_group all missing",
        "shared.calendar.holiday constant",
    ],
    "trucks": [
        "enforcement.rounds one row",
        "traffic.counts.count all missing",
        "traffic.junctions one row",
        "enforcement.rounds.start all missing",
    ],
}


@pytest.fixture(scope="module")
def town() -> towns.Town:
    return towns.town()


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "damage"), [(n, d) for n in WORST for d in WORST[n]])
def test_what_once_ended_a_page_is_a_table_or_a_sentence(
    town: towns.Town, monkeypatch: pytest.MonkeyPatch, notebook: str, damage: str
) -> None:
    [data] = [data for name, data in towns.damages(town, notebook) if name == damage]
    hold(towns.run(notebook, towns.lawful(data), monkeypatch))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_chapter_is_a_table_or_a_sentence(
    town: towns.Town, monkeypatch: pytest.MonkeyPatch, notebook: str
) -> None:
    """Also: a column without any value is a column that is not there, and nothing else."""
    shown: dict[str, dict[str, Any]] = {}
    for damage, data in towns.damages(town, notebook):
        try:
            shown[damage] = towns.run(notebook, towns.lawful(data), monkeypatch)
        except Exception as error:
            raise AssertionError(f"{notebook} ended: {damage}") from error
        hold(shown[damage])
    for damage in shown:
        column = damage.removesuffix(" all missing")
        if column != damage:
            lacking = shown[f"{column} absent"]
            assert tables(shown[damage]) == tables(lacking), damage
            gaps = [text for text in shown[damage].values() if isinstance(text, dict)]
            assert not [gap for gap in gaps if f"not deliver {column}" in gap["reason"]]


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "damage"), [(n, d) for n in WORST for d in WORST[n]])
def test_figures_of_what_is_odd_can_be_drawn(
    town: towns.Town, monkeypatch: pytest.MonkeyPatch, notebook: str, damage: str
) -> None:
    [data] = [data for name, data in towns.damages(town, notebook) if name == damage]
    hold(towns.run(notebook, towns.lawful(data), monkeypatch, drawn=True))


@pytest.mark.slow
def test_no_fill_level_ends_the_morning(town: towns.Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a column of levels without any value say more than one that is not there."""
    rest = towns.granted(town, "enforcement") | towns.granted(town, "rounds")
    store = "enforcement.fill_levels"
    shown: dict[str, dict[str, Any]] = {}
    for damage, data in towns.damages({store: town[store]}, "rounds"):
        own = {name: table for name, table in rest.items() if name != store} | data
        shown[damage] = towns.run("morning", towns.lawful(own), monkeypatch)
        hold(shown[damage])
    assert "levels" in tables(shown[f"{store}.state absent"])
    assert "levels" not in tables(shown[f"{store} absent"])
    for damage in shown:
        column = damage.removesuffix(" all missing")
        if column != damage:
            assert tables(shown[damage]) == tables(shown[f"{column} absent"]), damage


@pytest.mark.slow
def test_every_chapter_is_on_a_page(town: towns.Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chapter that no notebook asks for would be tried by no test above."""
    asked: set[str] = set()
    reckoned = Chapter.absent

    def absent(chapter: Chapter, *about: Any) -> Any:
        asked.add(chapter.title)
        return reckoned(chapter, *about)

    monkeypatch.setattr(Chapter, "absent", absent)
    for notebook in NOTEBOOKS:
        with monkeypatch.context() as patch:
            towns.run(notebook, towns.granted(town, notebook), patch)
    for notebook, purposes in OTHERS.items():
        data: towns.Town = {}
        for purpose in purposes:
            data |= towns.granted(town, purpose)
        with monkeypatch.context() as patch:
            towns.run(notebook, data, patch)
    titles = {
        chapter.title for package in ("enforcement", "traffic") for chapter in REGISTRY[package]
    }
    assert titles <= asked


def tables(shown: dict[str, Any]) -> dict[str, str]:
    """Return the tables on a page, without its sentences."""
    return {name: t for name, t in shown.items() if isinstance(t, str) and name != "answer"}


def hold(shown: dict[str, Any]) -> None:
    """Assert what must hold of any page."""
    assert not re.search(r"\bnan\b", shown["answer"])
    for name, said in shown.items():
        if isinstance(said, dict):
            assert said["reason"].endswith("."), name
    for lines in columns(shown, "share"):
        assert lines.dropna().between(0, 1).all()


def columns(shown: dict[str, Any], name: str) -> Iterator[pd.Series]:
    for text in tables(shown).values():
        table = pd.read_csv(io.StringIO(text))
        if name in table:
            yield table[name]
