"""The checks of the audit: which step each is about, who takes it, which norm it serves.

A step is a share: of the people who could be taken on (`whole`, a count in print), those who were.
Its parts are counts too, each of people who were taken on, were not, or are left out because the
step was not for them. Bounds and totals are dealt with by `datamall.fairness.Bounds`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from datamall.fairness import Bounds, recoding
from datamall.fraud import disclosure
from datamall.fraud.audit.sources import NO, TOTAL, YES, is_own, meaning, outcomes

Node = tuple[str, str, str, str]  # arm, band, stage, outcome
REST, OF = "not in print", "whose"
NOT_CHOSEN = "not chosen"
# More people than any table counts: what the counts in print leave for the rest.
_UNPRINTED = 10**9
HIDDEN = f"<{disclosure.MINIMUM}"


@dataclass(frozen=True)
class Check:
    """A step of the selection at which groups may be treated differently.

    Attributes
    ----------
    key
        Short name, as in ``params.yaml``.
    done, among
        What happens to people, and which people can come to it; both continue "people …".
    who
        Who takes the step.
    norm
        Norm that the check serves.
    whole
        Count of the people who could be taken on.
    parts
        Counts that make up the whole: True where they were taken on, False where not, None where
        the step was not for them. A part without a count in print is `REST`.
    alike
        Whether the people are alike in all that may count here: then the narrow tolerance holds.
    outcome
        Arm whose recorded results are the parts, by the definition of a mistake found.
    error
        Of an error of the flags: whether it is about people with a mistake (False: without), of
        whom those flagged (False) or not flagged (True) are wronged. None: no such check.
    """

    key: str
    done: str
    among: str
    who: str
    norm: str
    whole: Node
    parts: Mapping[Node, bool | None] = field(default_factory=dict)
    alike: bool = False
    outcome: str = ""
    error: bool | None = None


def _node(stage: str, arm: str = TOTAL, band: str = TOTAL, outcome: str = TOTAL) -> Node:
    return arm, band, stage, outcome


CHECKS = {
    check.key: check
    for check in (
        Check(
            "flagged",
            "are flagged by the profile",
            "",
            "the profile",
            "College's Toetsingskader risicoprofilering (2025); ECHR 14 with 8",
            _node("population"),
            {_node("flagged"): True},
        ),
        Check(
            "picked",
            "are chosen for a visit, by profile and caseworker together",
            "",
            "profile and caseworker",
            "ECHR 14 with 8; GDPR 5(1)(a); Toetsingskader risicoprofilering (2025)",
            _node("population"),
            {_node("chosen", "profile"): True},
        ),
        Check(
            "reported",
            "are looked at because of a signal",
            "who were not drawn at random",
            "who reports: neighbours, other offices",
            "ECHR 14 with 8; GDPR 5(1)(a)",
            _node("population"),
            {_node("chosen", "signal"): True, _node("chosen", "random"): None},
        ),
        Check(
            "chosen",
            "are chosen for a visit by a caseworker",
            "whom the profile flagged",
            "the caseworker",
            "Algemene wet gelijke behandeling 7a; ECHR 14 with 8; AI Act 14",
            _node("flagged"),
            {
                _node("chosen", "profile", "high"): True,
                _node("chosen", "random", "high"): None,
                _node("chosen", "signal", "high"): None,
            },
            alike=True,
        ),
        Check(
            "visited",
            "are visited",
            "chosen for a visit",
            "the department and its letters",
            "ECHR 8 (home); GDPR 5(1)(a)",
            _node("chosen"),
            {_node("visited"): True},
            alike=True,
        ),
        Check(
            "found",
            "have a mistake recorded",
            "drawn at random and visited",
            "the investigator, or the facts: these counts cannot tell",
            "GDPR 5(1)(d) (accuracy); AI Act 10(2)(f)",
            _node("finding", "random"),
            outcome="random",
        ),
        Check(
            "harsher",
            "have it called unlawful",
            "with a mistake recorded",
            "the investigator, or the facts: these counts cannot tell",
            "GDPR 5(1)(a) and (d); ECHR 14 with 8",
            _node("finding"),
            {
                _node("finding", outcome="unlawful"): True,
                _node("finding", outcome="administrative"): False,
                _node("finding", outcome="nothing"): None,
                _node("finding", outcome="unclear"): None,
            },
        ),
        Check(
            "objected",
            "object",
            "with a mistake recorded",
            "the person, if they know that they may",
            "ECHR 13; AI Act 86 (explanation)",
            _node("finding"),
            {
                _node("objection"): True,
                _node("finding", outcome="nothing"): None,
                _node("finding", outcome="unclear"): None,
            },
        ),
        Check(
            "upheld",
            "are put right",
            "who objected",
            "the objections committee",
            "ECHR 13; GDPR 5(1)(d)",
            _node("objection"),
            {_node("upheld"): True},
        ),
        Check(
            "hit rate",
            "have a mistake recorded",
            "chosen on the flags and visited",
            "the whole selection",
            "Toetsingskader (2025): suited to its aim; GDPR 5(1)(c)",
            _node("finding", "profile"),
            outcome="profile",
        ),
        Check(
            "wrongly flagged",
            "are flagged by the profile",
            "drawn at random in whom nothing was found",
            "the profile",
            "ECHR 14 with 8; AI Act 15 (accuracy); GDPR 5(1)(a)",
            _node("finding", "random"),
            outcome="random",
            error=False,
        ),
        Check(
            "missed",
            "are not flagged",
            "drawn at random in whom a mistake was found",
            "the profile",
            "AI Act 10(2)(f) and 15",
            _node("finding", "random"),
            outcome="random",
            error=True,
        ),
    )
}


def parts_of(
    check: Check, counts: pd.DataFrame, label: str | None, band: str = TOTAL, arm: str = ""
) -> Check:
    """Return a check with its parts as the definition of a mistake found makes them.

    Parameters
    ----------
    check
        Any; one that reads no recorded results is returned as it is.
    counts
        Of one study.
    label
        Definition of a mistake found.
    band
        Risk band that is looked at, where it is about one.
    arm
        Another arm than that of the check.
    """
    read = results(counts, label)
    if not check.outcome or read is None:
        return check
    arm = arm or check.outcome
    if check.error is None:
        parts = {_node("finding", arm, band, name): value for name, value in read.items()}
        return replace(check, parts=parts, whole=_node("finding", arm, band))
    wronged = "other" if check.error else "high"
    parts = {
        _node("finding", arm, own, name): own == wronged if value is check.error else None
        for name, value in read.items()
        for own in ("high", "other")
    }
    return replace(check, parts=parts, whole=_node("finding", arm))


def results(counts: pd.DataFrame, label: str | None) -> dict[str, bool | None] | None:
    """Return what each recorded result means, by sums of results where these are counted."""
    read = meaning(label, outcomes(counts)) if label is not None else None
    if read is None or not counts["outcome"].eq(f"{label}{YES}").any():
        return read
    left = {name: value for name, value in read.items() if value is None}
    return {f"{label}{YES}": True, f"{label}{NO}": False} | left


def at_risk(bands: Sequence[str], chosen: bool) -> dict[Node, tuple[str, str]]:
    """Return the counts of a step where risk bands are printed and nobody counted the flagged.

    Parameters
    ----------
    bands
        Risk bands that are meant.
    chosen
        Whether of the people in these bands those who were chosen are wanted; else of everybody
        those in these bands.

    Returns
    -------
    dict
        For `of_parts`.
    """
    rows = {_node("population", band=band): (band, TOTAL if chosen else "yes") for band in bands}
    if not chosen:
        return rows | {_node("population"): (TOTAL, TOTAL)}
    rows |= {_node("chosen", "profile", band): (band, "yes") for band in bands}
    return rows | {_node("population", band=b, outcome=NOT_CHOSEN): (b, "no") for b in bands}


def of_parts(counts: pd.DataFrame, rows: Mapping[Node, tuple[str, str]]) -> Bounds | None:
    """Return the counts of a step whose whole has parts of its own.

    Parameters
    ----------
    counts
        One study and attribute.
    rows
        For each count the part that it is of, and whether its people were taken on (``yes``,
        ``no``); either may be the total.

    Returns
    -------
    Bounds or None
        Keys ``whose`` (the group) and ``part``, with a decision; None where a count is not there.
    """
    places = list(zip(*(counts[key] for key in ("arm", "band", "stage", "outcome")), strict=True))
    if not set(rows) <= set(places):
        return None
    where = [place in rows for place in places]
    marks = [rows[place] for place in places if place in rows]
    table = counts[where].reset_index(drop=True).rename(columns={"group": OF})
    table = table[[OF, "people", "rounding"]].join(pd.DataFrame(marks, columns=["part", "yes"]))
    rounding = int(table["rounding"].iloc[0])
    return Bounds.from_rounded(table, [OF, "part"], "yes", count="people", rounding=rounding)


def bounds(counts: pd.DataFrame, check: Check) -> Bounds | None:
    """Return the counts of a step by group, with its outcome: was taken on, or not.

    Parameters
    ----------
    counts
        One study and attribute, as from `sources`; hidden counts are below 10.
    check
        The step, with its parts.

    Returns
    -------
    Bounds or None
        Key ``whose`` (the group); None where a count is not there.
    """
    nodes = {check.whole: TOTAL} | {node: str(i) for i, node in enumerate(check.parts)}
    places = zip(*(counts[key] for key in ("arm", "band", "stage", "outcome")), strict=True)
    part = pd.Series([nodes.get(node) for node in places], index=counts.index, dtype=object)
    rows = counts.assign(part=part)[part.notna()]
    groups, rounding = sorted(counts["group"].unique()), int(counts["rounding"].iloc[0])
    said = {nodes[node]: value for node, value in check.parts.items()}
    complete = bool(check.outcome) or False in said.values()
    # A tally leaves out what did not occur; official tables print a nought.
    tally = rounding == 1 or is_own(str(counts["study"].iloc[0]))
    if tally:
        columns = zip(("band", "stage", "outcome"), list(zip(*nodes, strict=True))[1:], strict=True)
        there = all(set(values) <= set(counts[name]) for name, values in columns)
    else:
        there = set(said) | (set() if complete else {TOTAL}) <= set(rows["part"])
    if not said or not there or len(set(groups) - {TOTAL}) < 2:
        return None
    if tally:
        every = pd.MultiIndex.from_product([groups, nodes.values()], names=["group", "part"])
        people = rows.set_index(["group", "part"])["people"]
        # Of persons also a nought is a number below 10, which is not told.
        people = people.reindex(every, fill_value=0) if rounding == 1 else people.reindex(every)
        rows = people.reset_index()
    table = rows.rename(columns={"group": OF})[[OF, "part", "people"]].astype({"people": object})
    table["people"] = table["people"].where(rows["people"].notna(), HIDDEN)
    if not complete:
        said[REST] = False
        rest = pd.DataFrame({OF: groups, "part": REST, "people": "."})
        table = pd.concat([table, rest], ignore_index=True)
    made = Bounds.from_rounded(
        table,
        [OF, "part"],
        count="people",
        rounding=rounding,
        suppressed_below=_UNPRINTED,
    )
    return recoding.label(made, "part", said)
