"""Steps of a selection: who could be taken on, who was, who was not, and who is left out.

A selection goes people → flagged → chosen → visited → finding → objection → upheld. Somebody
counted how many of each group reached each stage, in which arm, in which band of the risk score and
with which result; exactly, rounded, or with small numbers hidden. A check of the plan names a step
(`datamall.fairness.plan.Step`); here its counts become a table of bounds that has a decision, an
outcome and where they are to be joined an arm, which `datamall.fairness.auditing` judges like any
other. A printed total is used wherever there is one: a whole that is rounded says more than the sum
of its rounded parts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import published
from datamall.fairness.bounds import Bounds
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES
from datamall.fairness.metrics import find
from datamall.fairness.plan import Check, Meaning, Plan, Step

KEYS = ["study", "attribute", "group", "arm", "band", "stage", "outcome"]
ALL = "total"
POPULATION, FLAGGED, FINDING = "population", "flagged", "finding"
NOT_CHOSEN = "not chosen"
# Sums of results by a definition, counted as a whole: "<definition>: yes".
SAID = {True: ": yes", False: ": no"}
_UNPRINTED = 2**43
Node = tuple[str, str, str, str]  # stage, arm, band, outcome
_SIDE = {True: YES, False: NO, None: UNKNOWN}


@dataclass(frozen=True)
class Cell:
    """A count and whom it is about.

    Attributes
    ----------
    node
        Where it stands in the table; None: not in print, any number.
    decision, outcome
        Codes of `datamall.fairness.counting`, or `TOTAL`.
    arm, part
        Key of the arm, and which of several counts of the same people; `ALL` for their sum.
    """

    node: Node | None
    decision: int
    outcome: int = UNKNOWN
    arm: str = "everybody"
    part: str = "0"


@dataclass(frozen=True, eq=False)
class Selection:
    """Counts of people at the steps of one or several selections; make it with `read`.

    Attributes
    ----------
    table
        One row per count: the `KEYS`, people (missing where hidden) and rounding. ``total`` in a
        key holds the sum over it; studies and attributes are never summed.
    hidden_below
        Counts below this are hidden.
    tallies
        Studies that leave out what did not occur; a published table prints a nought.
    """

    table: pd.DataFrame
    hidden_below: int
    tallies: frozenset[str]
    merged: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @classmethod
    def read(
        cls, table: pd.DataFrame, *, hidden_below: int = 10, tallies: Sequence[str] = ()
    ) -> "Selection":
        """Check a table of counts.

        Parameters
        ----------
        table, hidden_below, tallies
            See `Selection`. Exact studies (rounding 1) are tallies too.

        Raises
        ------
        DatamallError
            If a column is missing, a count is negative, or a place is counted twice.
        """
        absent = [name for name in (*KEYS, "people", "rounding") if name not in table]
        if absent:
            raise DatamallError(f"Counts of a selection need a column {absent[0]}: give it.")
        double = table.duplicated(KEYS)
        if double.any():
            first = " × ".join(map(str, table.loc[double.idxmax(), KEYS]))
            raise DatamallError(f"{first} is counted twice: keep one of the two counts.")
        if (table["people"] < 0).any():
            raise DatamallError("A count of people is below nought: mend it.")
        exact = table.loc[table["rounding"] == 1, "study"].unique()
        return cls(table.reset_index(drop=True), hidden_below, frozenset([*tallies, *exact]))

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return tuple(sorted(self.table["attribute"].unique()))

    def studies(self, attributes: Sequence[str]) -> Iterator["Study"]:
        """Yield what was counted by each attribute in each study, in order."""
        rows = self.table[self.table["attribute"].isin(attributes)]
        order = {name: place for place, name in enumerate(attributes)}
        for study, of_study in rows.groupby("study", sort=True):
            results = recorded(of_study)
            for attribute in sorted(of_study["attribute"].unique(), key=order.__getitem__):
                own = of_study[of_study["attribute"] == attribute]
                yield Study(str(study), str(attribute), _nodes(self, str(study), own), results)


@dataclass(frozen=True, eq=False)
class Study:
    """What was counted of one selection by one attribute.

    Attributes
    ----------
    name, attribute
        Names.
    nodes
        Place → bounds and count as printed (NaN: hidden), shape (3, groups and everybody).
    results
        Arms in which each recorded result occurs.
    """

    name: str
    attribute: str
    nodes: "Nodes"
    results: Mapping[str, tuple[str, ...]]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, without everybody."""
        return self.nodes.groups

    def by_arm(self) -> tuple[np.ndarray, list[str], list[str]]:
        """Return the most people with each result (rows) in each arm (columns), and their names."""
        arms = sorted({arm for own in self.results.values() for arm in own})
        nodes = [[(FINDING, arm, ALL, result) for arm in arms] for result in self.results]
        most = [[self.nodes.places.get(n, np.zeros((3, 1)))[1, -1] for n in row] for row in nodes]
        return np.array(most).reshape(len(nodes), len(arms)), list(self.results), arms

    def labels(self, plan: Plan) -> list[tuple[str, Meaning]]:
        """Return the definitions of the outcome that say of each recorded result what it means."""
        known = set(self.results)
        return [(n, m) for n, m in plan.labels.items() if known and known <= set(m)]

    def bands(self, high: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the bands that occur and count as high, and the others."""
        met = sorted({band for _, _, band, _ in self.nodes.places} - {ALL})
        return [b for b in met if b in high], [b for b in met if b not in high]


@dataclass(frozen=True, eq=False)
class Nodes:
    """Counts by place; see `Study`."""

    groups: tuple[str, ...]
    places: Mapping[Node, np.ndarray]
    tally: bool
    nothing: np.ndarray

    def __contains__(self, node: Node) -> bool:
        """Return whether the place is counted, or would be had anybody been there."""
        if not self.tally:
            return node in self.places
        met = [set(values) for values in zip(*self.places, strict=True)]
        return all(value in own for value, own in zip(node, met, strict=True))

    def __getitem__(self, node: Node) -> np.ndarray:
        return self.places.get(node, self.nothing)

    @property
    def arms(self) -> set[str]:
        """Arms in which somebody is counted."""
        return {arm for _, arm, _, _ in self.places} - {ALL}


def _nodes(selection: Selection, study: str, own: pd.DataFrame) -> Nodes:
    rounding = own["rounding"].unique()
    if len(rounding) > 1:
        raise DatamallError(f"{study} rounds counts of one attribute in different ways.")
    half, tally = int(rounding[0]) // 2, study in selection.tallies
    hidden = [0, selection.hidden_below - 1, np.nan]
    # In a tally what did not occur is left out; of persons also a nought is a small number.
    absent = hidden if not tally else [0, 0, 0] if rounding[0] == 1 else hidden
    absent = absent if tally else [0, _UNPRINTED, np.nan]
    groups = tuple(sorted(set(own["group"]) - {ALL}))
    place = {group: i for i, group in enumerate((*groups, ALL))}
    nothing = np.repeat(np.array(absent, float)[:, None], len(place), axis=1)
    places: dict[Node, np.ndarray] = {}
    columns = (own[name] for name in ("stage", "arm", "band", "outcome", "group", "people"))
    for stage, arm, band, outcome, group, people in zip(*columns, strict=True):
        node = (str(stage), str(arm), str(band), str(outcome))
        if node not in places:
            places[node] = nothing.copy()
        value = np.nan if pd.isna(people) else float(people)
        known = hidden if np.isnan(value) else [max(value - half, 0), value + half, value]
        places[node][:, place[group]] = known
    return Nodes(groups, places, tally, nothing)


def recorded(counts: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the results that were recorded in a study, and the arms in which each occurs.

    Sums of results, and parts ("unduly, no appeal" of "unduly") are no further results.
    """
    own = counts[(counts["stage"] == FINDING) & (counts["outcome"] != ALL)]
    found = {str(name) for name in own["outcome"]} - {"none"}
    found = {name for name in found if not name.endswith(tuple(SAID.values()))}
    found = {name for name in found if name.rpartition(", ")[0] not in found}
    met = own[own["people"].isna() | (own["people"] > 0)]
    return {
        name: tuple(sorted(set(met.loc[met["outcome"] == name, "arm"]) - {ALL}))
        for name in sorted(found)
    }


def counts(study: Study, plan: Plan, check: Check, label: str, meaning: Meaning) -> Bounds | None:
    """Return the counts that a check is about, by group.

    Parameters
    ----------
    study
        What was counted.
    plan, check
        The check has a step.
    label, meaning
        The definition of the outcome by its name, and what each result means. The name is that of
        printed sums; empty where these do not say what is meant.

    Returns
    -------
    Bounds or None
        Keys: the attribute, and ``arm`` where arms are to be joined. None where a count that the
        step needs is not there.
    """
    found = cells(study, plan, check, label, meaning)
    return assemble(study, found) if found else None


def cells(study: Study, plan: Plan, check: Check, label: str, meaning: Meaning) -> list[Cell]:
    """Return which counts a check is about, and as what; none where one is not there.

    For the parameters see `counts`.
    """
    step = check.step
    if step is None or len(study.groups) < 2:
        return []
    if not check.needs_outcome:
        return _reached(study, step, plan.high_bands)
    if find(check.metric).given == (TOTAL, TOTAL):
        bands = study.bands(step.bands)[0]
        found = _found(study, label, meaning, step.arms or (ALL,), bands or (ALL,))
        return [] if step.bands and not bands else found
    if check.of == "investigated":
        return _by_band(study, label, meaning, step.arms or (ALL,), plan.high_bands)
    return _joined(study, plan, step, label, meaning)


def reached(study: Study, step: Step, high: Sequence[str]) -> Bounds | None:
    """Return how many of the people who came to a step were taken on, by group.

    Parameters
    ----------
    study, step
        What was counted, and the step.
    high
        Bands whose people are flagged.
    """
    cells = _reached(study, step, high)
    return assemble(study, cells) if cells else None


def _reached(study: Study, step: Step, flagged: Sequence[str]) -> list[Cell]:
    """Return the cells of a share of people who reached a stage."""
    nodes, (high, _) = study.nodes, study.bands(flagged)
    if (FLAGGED, ALL, ALL, ALL) not in nodes:
        # Where nobody counted the flagged, they are those in bands that count as high.
        if step.to == FLAGGED and step.of == POPULATION:
            cells = [Cell((POPULATION, ALL, band, ALL), YES, part=band) for band in high]
            return _complete(nodes, (POPULATION, ALL, ALL, ALL), cells, []) if high else []
        if step.of == FLAGGED:
            return _in_bands(nodes, step, high)
    of = (step.of, ALL, ALL, ALL)
    # Who was not flagged may be chosen too, by a signal or the draw: no part of the flagged.
    by_band = all((step.to, ALL, band, ALL) in nodes for band in high)
    bands = high if step.of == FLAGGED and high and (step.arms or by_band) else [ALL]
    taken = [
        Cell((step.to, arm, band, ALL), YES, part=f"{arm} {band}")
        for arm in (_met(nodes, step.arms) if step.arms else (ALL,))
        for band in bands
    ]
    left = [
        Cell((step.to, arm, band, ALL), UNKNOWN, part=f"{arm} {band}")
        for arm in _met(nodes, step.left_out)
        for band in bands
    ]
    if step.results_left_out:
        left += [Cell((step.of, ALL, ALL, r), UNKNOWN, part=r) for r in step.results_left_out]
    return _complete(nodes, of, taken, left)


def _met(nodes: Nodes, arms: Sequence[str]) -> list[str]:
    """Return the arms whose counts a step needs: of a tally those in which somebody was."""
    return [arm for arm in arms if arm in nodes.arms or not nodes.tally]


def _complete(nodes: Nodes, of: Node, taken: list[Cell], left: list[Cell]) -> list[Cell]:
    rest = [Cell(None, NO), Cell(of, TOTAL, TOTAL, part=ALL)]
    cells = [*taken, *left, *rest]
    return cells if taken and all(c.node is None or c.node in nodes for c in cells) else []


def _in_bands(nodes: Nodes, step: Step, high: Sequence[str]) -> list[Cell]:
    cells = []
    for band in high:
        cells += [
            Cell((step.to, arm, band, ALL), YES, part=f"{arm} {band}")
            for arm in step.arms or (ALL,)
        ]
        not_chosen = (POPULATION, ALL, band, NOT_CHOSEN)
        cells.append(Cell(not_chosen if not_chosen in nodes else None, NO, part=band))
        if len(step.arms) < 2:
            whole = (POPULATION, ALL, band, ALL)
            cells[-2] = Cell(cells[-2].node, YES, part=band)
            cells.append(Cell(whole, TOTAL, TOTAL, part=band))
    return cells if all(c.node is None or c.node in nodes for c in cells) else []


def _found(
    study: Study,
    label: str,
    meaning: Meaning,
    arms: Sequence[str],
    bands: Sequence[str] = (ALL,),
    *,
    decision: int = UNKNOWN,
    left_out: int = UNKNOWN,
    arm: str = "everybody",
) -> list[Cell]:
    """Return the cells of recorded results, read as a definition says.

    People whose result is left out have no decision either, unless one is given: they are on no
    side of the rate.
    """
    read: dict[str, bool | None] = {name: meaning.get(name) for name in study.results}
    sums = {label + end: value for value, end in SAID.items()}
    counted = {outcome for stage, *_, outcome in study.nodes.places if stage == FINDING}
    if counted >= set(sums):
        read = sums | {name: None for name, value in read.items() if value is None}
    cells = [
        Cell(
            (FINDING, own, band, name),
            left_out if value is None else decision,
            _SIDE[value],
            arm,
            f"{own} {band} {name}",
        )
        for own in arms
        for band in bands
        for name, value in read.items()
    ]
    if len(arms) == len(bands) == 1:
        whole = (FINDING, arms[0], bands[0], ALL)
        if whole in study.nodes and decision == UNKNOWN:
            cells.append(Cell(whole, TOTAL, TOTAL, arm, ALL))
    there = bool(cells) and all(c.node in study.nodes for c in cells if c.node)
    return cells if there else []


def _by_band(
    study: Study,
    label: str,
    meaning: Meaning,
    arms: Sequence[str],
    high: Sequence[str],
    arm: str | None = None,
) -> list[Cell]:
    """Return the cells of recorded results of people who were flagged, and who were not.

    In an arm that is joined with others everybody has a decision, as among all who were flagged.
    """
    cells: list[Cell] = []
    for decision, bands in zip((YES, NO), study.bands(high), strict=True):
        how = {"decision": decision, "left_out": UNKNOWN if arm is None else decision}
        own = _found(study, label, meaning, arms, bands, arm=arm or "everybody", **how)
        if not own:
            return []
        cells += own
    return cells


def _joined(study: Study, plan: Plan, step: Step, label: str, meaning: Meaning) -> list[Cell]:
    """Return the cells of a rate of everybody with, or without, the outcome.

    The random arm says how many there are. Whether its people were flagged is known from their
    band; whether they would have been visited by the selection is not, since they were drawn.
    """
    nodes, how = study.nodes, plan.identification
    everybody = (POPULATION, ALL, ALL, ALL)
    if how is None or how.random is None or everybody not in nodes:
        return []
    random = how.random
    if step.to == FLAGGED:
        flagged = (FLAGGED, ALL, ALL, ALL)
        drawn = _by_band(study, label, meaning, [random], plan.high_bands, arm=random)
        if flagged not in nodes or not drawn:
            return []
        rest = [Cell(None, d, arm="others") for d in (YES, NO)]
        whole = [Cell(flagged, YES, TOTAL, ALL, ALL), Cell(everybody, TOTAL, TOTAL, ALL, ALL)]
        return [*drawn, *rest, *whole]
    arms = [own for own in step.arms if own in nodes.arms]
    taken = [_found(study, label, meaning, [own], decision=YES, arm=own) for own in arms]
    of_draw = _of_draw(study, label, meaning, random)
    # An arm whose results nobody counted cannot be left out: its visits are visits too.
    if not taken or not all(taken) or not of_draw:
        return []
    rest = [Cell(None, NO, arm="others"), Cell(everybody, TOTAL, TOTAL, ALL, ALL)]
    return [*(cell for own in taken for cell in own), *of_draw, *rest]


def _of_draw(study: Study, label: str, meaning: Meaning, random: str) -> list[Cell]:
    """Return the cells of the random arm: its results, and all who were drawn where counted.

    Nobody who was drawn can be visited by the selection, whether the draw led to a visit or not.
    """
    cells = _found(study, label, meaning, [random], arm=random)
    # Who is drawn is chosen by that; a study may count the arm at either stage.
    places = study.nodes.places
    there = [n for s in (POPULATION, "chosen") if (n := (s, random, ALL, ALL)) in places]
    if not cells or not there:
        return cells
    sides = [(cell.decision, cell.outcome) for cell in cells]
    if len(set(sides)) == len(sides):
        cells = [replace(cell, part="found") for cell in cells]
    else:
        cells = [cell for cell in cells if cell.part != ALL]
    rest = Cell(None, UNKNOWN, arm=random, part="no result")
    return [*cells, rest, Cell(there[0], TOTAL, TOTAL, random, ALL)]


def assemble(study: Study, cells: Sequence[Cell]) -> Bounds:
    """Return bounds from cells: what no cell counts is nobody, what no total prints is open."""
    groups = (*study.groups, ALL)
    arms = sorted({cell.arm for cell in cells} - {ALL})
    parts = sorted({cell.part for cell in cells} - {ALL})
    shape = (len(groups), len(arms) + 1, len(parts) + 1, TOTAL + 1, TOTAL + 1)
    low, high, printed = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    for axis in range(len(shape)):
        np.moveaxis(high, axis, 0)[-1] = _UNPRINTED
        np.moveaxis(printed, axis, 0)[-1] = np.nan
    for cell in cells:
        arm = -1 if cell.arm == ALL else arms.index(cell.arm)
        part = -1 if cell.part == ALL else parts.index(cell.part)
        here = (slice(None), arm, part, cell.decision, cell.outcome)
        known = study.nodes[cell.node] if cell.node else np.array([[0], [_UNPRINTED], [np.nan]])
        least, most, value = np.broadcast_to(known, (3, len(groups)))
        low[here], high[here], printed[here] = least.astype(int), most.astype(int), value
    axes = (study.attribute, "arm", "part")
    levels = (study.groups, tuple(arms), tuple(parts))
    published.tighten(low, high, printed, axes, levels)
    keep, at = (1, (-1, -1)) if len(arms) == 1 else (2, (-1,))
    place: tuple[int | slice, ...] = (*[slice(None)] * keep, *at)
    return Bounds(axes[:keep], levels[:keep], low[place], high[place], printed[place])
