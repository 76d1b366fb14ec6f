"""The plan of an audit: what is compared, what is tolerated and why, fixed before the outcome.

A plan is a mapping, such as a section of ``params.yaml``::

    groups: [sex, origin]      # attributes, keys of the counts
    depth: 2                   # each attribute alone and each pair; up to 3
    reference: rest            # everybody else, or {sex: man, origin: Netherlands}
    level: 0.95                # 1 - level: error of a wrong PASS, and of any wrong FAIL
    power: 0.8                 # with which a gap counts as detectable
    smallest: 30               # groups of fewer people are shown, and judged by nobody
    result: finding            # key that holds the recorded result, if labels read it
    labels:                    # what counts as the outcome: the first, then its rivals
      unlawful: {nothing: false, administrative: false, unlawful: true, unclear: null}
      any: {nothing: false, administrative: true, unlawful: true, unclear: null}
    identification:            # how outcomes stand for people who were not investigated
      random: random           # arm drawn from everybody
      profile: profile         # arm whose outcomes stand for all who were flagged, if any
      strata: []               # keys within which the random arm was drawn
      population: null         # people, where only those investigated are counted
      reason: caseworkers choose among the flagged without knowing the mistake
    stages: [flagged, chosen, visited]   # stages of the selection in their order, if there are any
    high_bands: [high, 1, 2]         # bands of the risk score whose people are flagged
    capacity: 800              # people whom the decision can select
    merge: {age: {young: [under 18, 18 to 26]}}
    leave_out: {origin: [unknown]}     # values that are shown and do not gate
    checks:
      - name: flagged
        metric: selection_rate
        estimand: list         # these people and nobody else; or procedure: future draws
        where: {stage: flagged}    # of cells; of a selection (`datamall.fairness.steps`) rather
        step: {to: flagged, of: population, arms: [profile]}
        tolerance: {kind: ratio, low: 0.8, high: 1.25, reason: four fifths, a convention}
        gating: true
        norm: AI Act, article 10(2)(f)

Anything else in it is refused, so that a misspelt word does not loosen an audit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from datamall.errors import DatamallError
from datamall.fairness.inference import Estimand
from datamall.fairness.metrics import RECORDS, find
from datamall.fairness.subgroups import REST, Reference
from datamall.fairness.verdict import Tolerance

AS_RECORDED = "as recorded"
STAGES = ("population", "flagged", "chosen", "visited", "finding", "objection", "upheld")
DEEPEST = 3
Of = Literal["everybody", "investigated"]
Meaning = Mapping[str, bool | None]


@dataclass(frozen=True)
class Step:
    """The step of a selection that a check is about: of those who came to it, those taken on.

    Attributes
    ----------
    to
        Stage that people reach: flagged, chosen, visited, finding, objection, upheld.
    of
        Stage that they come from: population, or one of these. For a rate of everybody with, or
        without, the outcome it is the population.
    arms
        Ways of being chosen that count; none: all of them.
    left_out
        Ways in which people had been chosen before they could come to this step.
    results_left_out
        Recorded results with which nobody comes to this step.
    bands
        Bands of the risk score among those with a result; none: all of them.
    """

    to: str
    of: str = "population"
    arms: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    results_left_out: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One question of an audit.

    Attributes
    ----------
    name
        Short name, unique in the plan.
    metric
        One of `datamall.fairness.metrics.RECORDS`; equalized odds are two checks, tpr and fpr.
    tolerance, reason
        Gaps that are accepted, and why these.
    gating
        Whether the verdict of the audit depends on it, or it only informs.
    norm
        Law or criterion that it serves, for readers.
    estimand
        ``"list"``: these people, nobody else; ``"procedure"``: what would happen to the next.
    where
        Key → value, or values: which stage, arm or year it is about.
    of
        ``"everybody"``: rates of all people counted, with outcomes that must be identified where
        not all are known; ``"investigated"``: of those whose outcome is known, and of nobody else.
    groups, depth, reference
        Its own, where they differ from those of the plan.
    step
        Of a selection, the step that it is about.
    outcome
        What each recorded result counts as in this check, where the labels of the plan do not.
    among, done, who
        For readers: which people, what happens to them, and who does it.
    """

    name: str
    metric: str
    tolerance: Tolerance
    reason: str
    gating: bool = True
    norm: str = ""
    estimand: Estimand = "procedure"
    where: Mapping[str, Any] = field(default_factory=dict)
    of: Of = "everybody"
    groups: tuple[str, ...] = ()
    depth: int = 0
    reference: Reference = REST
    step: Step | None = None
    outcome: Meaning = field(default_factory=dict)
    among: str = ""
    done: str = ""
    who: str = ""

    @property
    def needs_outcome(self) -> bool:
        """Whether the rate asks for outcomes."""
        return find(self.metric).needs_outcomes


@dataclass(frozen=True)
class Identification:
    """How the outcomes of some stand for all; see `datamall.fairness.identification`.

    Attributes
    ----------
    random
        Arm drawn at random from everybody (within `strata`); None: there is none.
    profile
        Arm whose outcomes stand for all the flagged; None: only the random arm does.
    strata
        Keys within which the random arm was drawn, with a share known from the counts.
    population
        People in all, where the counts hold those investigated alone.
    reason
        Why the profile arm stands for the flagged. Without one it does so only where every
        flagged person of a group was investigated.
    same_measurement
        Why a result that was recorded in one arm only means the same; empty: it does not.
    """

    random: str | None = None
    profile: str | None = None
    strata: tuple[str, ...] = ()
    population: int | None = None
    reason: str = ""
    same_measurement: str = ""


@dataclass(frozen=True)
class Plan:
    """A checked plan; see the module. Make it with `Plan.read`."""

    groups: tuple[str, ...]
    checks: tuple[Check, ...]
    depth: int = 1
    reference: Reference = REST
    level: float = 0.95
    power: float = 0.8
    smallest: int = 0
    result: str | None = None
    labels: Mapping[str, Mapping[Any, bool | None]] = field(default_factory=dict)
    identification: Identification | None = None
    stages: tuple[str, ...] = ()
    capacity: int | None = None
    merge: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    leave_out: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    high_bands: tuple[str, ...] = ()

    @classmethod
    def read(cls, source: "Plan | Mapping[str, Any]") -> "Plan":
        """Check a plan.

        Parameters
        ----------
        source
            A mapping, or a plan, which is returned as it is.

        Raises
        ------
        DatamallError
            If a word is unknown, a value cannot be, or something that is needed is missing.
        """
        if isinstance(source, Plan):
            return source
        given = _known(source, cls, "plan")
        if not given.get("groups") or not given.get("checks"):
            raise DatamallError("A plan needs groups (attributes) and checks: give both.")
        groups = _texts(given["groups"], "groups")
        shared = {"depth": given.get("depth", 1), "reference": given.get("reference", REST)}
        labels, result = given.get("labels") or {}, given.get("result")
        labels = {str(name): _meaning(own, f"Label {name}") for name, own in labels.items()}
        checks = tuple(_check(each, groups, shared) for each in _list(given["checks"], "checks"))
        names = [check.name for check in checks]
        double = [name for name in names if names.count(name) > 1]
        if double:
            raise DatamallError(f"There are two checks called {double[0]}: give each its own name.")
        plan = cls(
            groups,
            checks,
            **shared,
            level=_share(given.get("level", 0.95), "level", 0.5),
            power=_share(given.get("power", 0.8), "power", 0.0),
            smallest=_whole(given.get("smallest", 0), "smallest"),
            result=result,
            labels=labels,
            identification=_identification(given.get("identification")),
            stages=_texts(given.get("stages") or (), "stages"),
            capacity=given.get("capacity"),
            merge=given.get("merge") or {},
            leave_out=given.get("leave_out") or {},
            high_bands=_texts(
                [str(band) for band in _list(given.get("high_bands") or (), "high_bands")],
                "high_bands",
            ),
        )
        if bool(labels) != bool(result) and any(check.step is None for check in checks):
            raise DatamallError(
                "Labels read the key that holds the recorded result: give both result and labels, "
                "or neither."
            )
        if plan.capacity is not None:
            _whole(plan.capacity, "capacity")
        return plan


def _check(given: Any, groups: Sequence[str], shared: Mapping[str, Any]) -> Check:
    own = _known(given, Check, "check")
    name = str(own.get("name") or "")
    if not name:
        raise DatamallError("A check needs a name: give each its own.")
    if own.get("metric") not in RECORDS:
        raise DatamallError(
            f"Check {name} has no metric {own.get('metric')!r}: there are {', '.join(RECORDS)}."
        )
    edges = own.get("tolerance")
    if not isinstance(edges, Mapping) or not str(edges.get("reason") or "").strip():
        raise DatamallError(
            f"Check {name} needs a tolerance with its reason, such as "
            "{kind: ratio, low: 0.8, high: 1.25, reason: …}."
        )
    kind, ends = edges.get("kind"), _ends(edges, name)
    for word, allowed in (
        ("estimand", ("list", "procedure")),
        ("of", ("everybody", "investigated")),
    ):
        if own.get(word, allowed[0]) not in allowed:
            raise DatamallError(
                f"Check {name} has {word} {own[word]!r}: it is {allowed[0]} or {allowed[1]}."
            )
    if not isinstance(own.get("gating", True), bool):
        raise DatamallError(f"Check {name} gates or does not: write gating: true or false.")
    depth = own.get("depth", shared["depth"])
    if isinstance(depth, bool) or depth not in range(1, DEEPEST + 1):
        raise DatamallError(f"The depth of check {name} is {depth}: give 1, 2 or 3.")
    reference = own.get("reference", shared["reference"])
    if reference != REST and not isinstance(reference, Mapping):
        raise DatamallError(
            f"The reference of check {name} is 'rest' or a value for each attribute, not "
            f"{reference!r}."
        )
    return Check(
        name,
        own["metric"],
        Tolerance(kind, *ends),  # type: ignore[arg-type]
        str(edges["reason"]).strip(),
        own.get("gating", True),
        str(own.get("norm") or ""),
        own.get("estimand", "procedure"),
        own.get("where") or {},
        own.get("of", "everybody"),
        _texts(own["groups"], f"groups of check {name}") if own.get("groups") else tuple(groups),
        depth,
        reference,
        _step(own.get("step"), name),
        _meaning(own.get("outcome") or {}, f"The outcome of check {name}"),
        *(str(own.get(word) or "") for word in ("among", "done", "who")),
    )


def _ends(edges: Mapping[str, Any], name: str) -> list[float | None]:
    """Return both ends of a tolerance; `within` is the same distance on both sides."""
    odd = sorted(set(edges) - {"kind", "low", "high", "within", "reason"})
    if odd or ("within" in edges and {"low", "high"} & set(edges)):
        raise DatamallError(
            f"The tolerance of check {name} has no {odd[0]!r}: take it out."
            if odd
            else f"The tolerance of check {name} is within a distance, or low to high: not both."
        )
    ends = [edges.get(end) for end in ("low", "high", "within")]
    if any(isinstance(v, bool) or not isinstance(v, int | float | None) for v in ends):
        raise DatamallError(f"The tolerance of check {name} has ends that are no numbers.")
    low, high, within = ends
    if within is None:
        return [low, high]
    if within <= (1 if edges.get("kind") == "ratio" else 0):
        raise DatamallError(f"The tolerance of check {name} is within {within}: give a wider one.")
    return [1 / within if edges.get("kind") == "ratio" else -within, within]


def _meaning(given: Any, what: str) -> Meaning:
    good = isinstance(given, Mapping)
    if not good or any(v is not None and not isinstance(v, bool) for v in given.values()):
        raise DatamallError(
            f"{what} says for each result true, false or null: write for example "
            "{fraud: true, nothing: false, unclear: null}."
        )
    return dict(given)


def _step(given: Any, name: str) -> Step | None:
    if given is None:
        return None
    own = _known(given, Step, f"step of check {name}")
    if own.get("to") not in STAGES[1:] or own.get("of", STAGES[0]) not in STAGES:
        raise DatamallError(
            f"The step of check {name} goes to one of {', '.join(STAGES[1:])}, of one of these or "
            f"of the {STAGES[0]}: write for example {{to: chosen, of: flagged}}."
        )
    lists = {
        word: _texts([str(v) for v in _list(own[word], word)], f"{word} of check {name}")
        for word in ("arms", "left_out", "results_left_out", "bands")
        if own.get(word)
    }
    return Step(**own | lists)


def _identification(given: Any) -> Identification | None:
    if given is None:
        return None
    own = _known(given, Identification, "identification")
    if own.get("population") is not None:
        _whole(own["population"], "population")
    return Identification(**own | {"strata": _texts(own.get("strata") or (), "strata")})


def _known(given: Any, kind: Any, what: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise DatamallError(f"A {what} is a mapping of words to values, not {given!r:.40}.")
    names = [each.name for each in fields(kind) if (kind, each.name) != (Check, "reason")]
    odd = [name for name in given if name not in names]
    if odd:
        raise DatamallError(f"A {what} has no {odd[0]!r}: it has {', '.join(names)}.")
    return dict(given)


def _list(given: Any, what: str) -> list[Any]:
    if not isinstance(given, list | tuple):
        raise DatamallError(f"The {what} of a plan are a list.")
    return list(given)


def _texts(given: Any, what: str) -> tuple[str, ...]:
    values = (given,) if isinstance(given, str) else tuple(_list(given, what))
    if any(not isinstance(v, str) for v in values) or len(set(values)) < len(values):
        raise DatamallError(f"The {what} are names, each once.")
    return values


def _share(given: Any, what: str, least: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given < 1:
        raise DatamallError(f"The {what} is {given!r}: give a probability from {least:g} up to 1.")
    return float(given)


def _whole(given: Any, what: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise DatamallError(f"The {what} is {given!r}: give a whole number of people.")
    return given
