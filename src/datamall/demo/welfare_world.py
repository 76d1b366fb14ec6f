"""The knobs of welfare in the demo city: what is true, and every planted bias with its size."""

from dataclasses import dataclass, replace
from typing import Any

from datamall.errors import DatamallError


@dataclass(frozen=True)
class WelfareWorld:
    """A world that people on benefit can be drawn from; the defaults are the demo.

    Biases act by origin: in full on people from outside Europe, at 0.4 of the size (of the
    logarithm, for odds) on people from elsewhere in Europe, not on people from the Netherlands.
    `none` gives a world without any of them, `only` one with some of them.

    Attributes
    ----------
    clients
        People on benefit in 2024. Groningen pays benefit to some nine thousand households.
    leaving, entering
        Shares of them who leave before 2025, and who come in then: two years of the same file
        are not two samples, yet not one either.
    profile, signal, follow_up, random
        Files that are chosen a year, by reason: the first three make the 1,200 investigations of
        the selection in use, the last is drawn by lot from all.
    flagged_share
        Share of all files that the score in use flags; three twentieths, so that score bands and
        flags tell the same.

    error_rate, unlawful_share
        Share of files in which the amount is wrong for any reason, and the share of those that
        is unlawful (the duty to report was broken); the rest are mistakes, some of the
        department's. About what a random draw found in Rotterdam and Sweden (15 to 29 %).
    error_spread
        Size (log-odds) of what no record shows of a person: keeps every profile modest.
    family_income
        Odds that single parents, and people under 27, have income beside the benefit, as a
        multiple. True and lawful: they are wrong somewhat more often, by their income alone.
    true_difference
        Odds of a wrong amount outside Europe at the same records, as a multiple. 1: whoever finds
        more there has looked or written otherwise.

    proxy_strength
        How far language and address follow origin: 1 as in a Dutch city, 0 not at all. Neither
        has any bearing on whether an amount is right.
    selection_bias
        Weight of proxies (language, address, missed appointments, appearance, children, age) in
        the score in use, beside facts about the amount. At 1 people from outside Europe are
        flagged rather more than twice as often: Sweden's profile did 2.4 times.
    intersection_bias
        Points that the score adds for single mothers under 27, about 2 % of all: hardly visible
        in the figures for women, for single parents or for young people.
    human_odds
        Odds that a caseworker chooses one flagged file rather than another, by origin. DUO's
        staff chose 3.6 times as many at the same risk band.
    signal_odds
        Odds that somebody is reported (neighbours, other offices), by origin.
    label_odds
        Odds that an investigator records a harsher finding at the same truth, by origin.
    visit_odds
        Odds that a visit takes place, by origin: letters that are not understood.
    no_show_odds
        Odds to miss an appointment, by origin, for the same reason.
    missing_odds
        Odds that a field of the file is left blank, by origin.
    objection_odds
        Odds to object to a decision, by origin: below 1, wrong findings stay.
    feedback
        Share of the findings of 2024 that stand in the file of 2025 as repaid before: by then
        what was recorded with bias looks like a fact.

    mess
        Multiple of the usual number of faults in the raw files; 0 writes clean files.
    """

    clients: int = 9000
    leaving: float = 0.19
    entering: float = 0.185
    profile: int = 780
    signal: int = 270
    follow_up: int = 150
    random: int = 450
    flagged_share: float = 0.15

    error_rate: float = 0.18
    unlawful_share: float = 1 / 3
    error_spread: float = 0.5
    family_income: float = 1.4
    true_difference: float = 1.0

    proxy_strength: float = 1.0
    selection_bias: float = 1.0
    intersection_bias: float = 1.0
    human_odds: float = 2.0
    signal_odds: float = 1.5
    label_odds: float = 2.0
    visit_odds: float = 0.6
    no_show_odds: float = 1.8
    missing_odds: float = 1.8
    objection_odds: float = 0.6
    feedback: float = 1.0

    mess: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a world that cannot be drawn."""
        shares = ("leaving", "entering", "flagged_share", "error_rate", "unlawful_share")
        for name in (*shares, "proxy_strength", "feedback"):
            if not 0 <= getattr(self, name) <= 1:
                raise DatamallError(
                    f"WelfareWorld({name}={getattr(self, name)}) is no share: give a number from "
                    "0 to 1."
                )
        for name in (*NEUTRAL, "family_income"):
            odds = name.endswith("odds") or name in ("true_difference", "family_income")
            if getattr(self, name) < 0 or (odds and getattr(self, name) == 0):
                raise DatamallError(
                    f"WelfareWorld({name}={getattr(self, name)}) must not be negative, and odds "
                    "must be above 0: 1 means no difference."
                )
        flagged = round(self.flagged_share * self.clients)
        if min(self.profile, self.signal, self.follow_up, self.random) < 0 or (
            self.profile > 0.7 * flagged or self.clients < 3 * self.random
        ):
            raise DatamallError(
                f"With {self.clients} clients, of whom {flagged} are flagged, WelfareWorld cannot "
                f"choose {self.profile} by profile and draw {self.random} by lot: give more "
                "clients, or numbers from 0 up to 0.7 of the flagged and a third of the clients."
            )

    def without_bias(self) -> "WelfareWorld":
        """Return the same people and truth, handled without any of the planted biases."""
        return replace(self, **{name: value for name, value in NEUTRAL.items() if name in BIASES})

    def none(self) -> "WelfareWorld":
        """Return a world in which nothing differs between groups, neither truth nor handling."""
        return replace(self, **NEUTRAL, family_income=1.0)

    def only(self, *names: str) -> "WelfareWorld":
        """Return `none` with these knobs as they are here."""
        unknown = sorted(set(names) - {*NEUTRAL, "family_income"})
        if unknown:
            raise DatamallError(
                f"WelfareWorld has no bias called {unknown[0]!r}: there are {', '.join(NEUTRAL)}."
            )
        return replace(self.none(), **{name: getattr(self, name) for name in names})

    def times(self, factor: int) -> "WelfareWorld":
        """Return a world with that many times the people and the investigations."""
        sizes = ("clients", "profile", "signal", "follow_up", "random")
        return replace(self, **{name: factor * getattr(self, name) for name in sizes})


# Each knob that makes groups differ, and its value at which it does nothing.
NEUTRAL: dict[str, Any] = {
    "true_difference": 1.0,
    "proxy_strength": 0.0,
    "selection_bias": 0.0,
    "intersection_bias": 0.0,
    "human_odds": 1.0,
    "signal_odds": 1.0,
    "label_odds": 1.0,
    "visit_odds": 1.0,
    "no_show_odds": 1.0,
    "missing_odds": 1.0,
    "objection_odds": 1.0,
    "feedback": 0.0,
}
# Those that are somebody's doing; the others are about the people themselves.
BIASES = tuple(name for name in NEUTRAL if name not in ("true_difference", "proxy_strength"))
