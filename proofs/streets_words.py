"""Words: what the study of streets says, a line each, and the numbers worth following."""

import pandas as pd

from proofs.streets import KINDS

HEADINGS = {
    "above": "True saving above the interval",
    "alarms": "False alarms",
    "below": "True saving below the interval",
    "covered": "Towns in which all intervals hold it",
    "cut_off": "Cut off",
    "dated": "Of these dated within a week",
    "doubted": "Not enough evidence",
    "fault": "Called a fault",
    "high": "To",
    "kept": "Keep the plan of now",
    "known": "Capacity known",
    "load": "Load, where there is none",
    "low": "From",
    "minutes": "Minutes at the ceiling",
    "not_cut_off": "Not cut off",
    "not_enough": "Not enough evidence",
    "nothing": "Nothing said",
    "of": "Of",
    "per_1000": "In 1,000 weeks",
    "refused": "No plan",
    "seen": "Found",
    "share_of_days": "Share of working days",
    "since": "Weeks since",
    "size": "Level, now ÷ then",
    "tried": "Try it",
    "truth": "Truth",
    "weeks": "Weeks, of all together",
    "wrong": "Of these worse on the road of today",
}
LARGE = (0.6, 1.4)  # levels that a change of a road must be found by
TO_TRY = "to try"


def metrics(
    ceilings: pd.DataFrame,
    jumps: pd.DataFrame,
    alarms: pd.DataFrame,
    odd: pd.DataFrame,
    verdicts: pd.DataFrame,
    promised: pd.DataFrame,
) -> dict[str, float]:
    """Return the numbers worth following from version to version.

    Parameters
    ----------
    ceilings, jumps, alarms, odd
        As from `called`, `jumps`, `healthy` and `odd` of `proofs.streets`.
    verdicts, promised
        As from `proofs.towns`.
    """
    large = jumps[jumps["size"].isin(LARGE)]
    missed = ceilings[ceilings["what"] == "called not cut off, of those that are"]
    right = ceilings[ceilings["what"] == "right, of those called cut off"]
    short = alarms[alarms["kind"] == KINDS[5]]
    rest = alarms[alarms["kind"] != KINDS[5]]
    tried = promised[promised["plans"] == TO_TRY].set_index("truth")["share"]
    every = verdicts.iloc[-1]
    return {
        "cut_off_right": float(right["share"].min()),
        "not_cut_off_wrong": float(missed["seen"].sum() / missed["of"].sum()),
        "large_changes_found": float(large["seen"].sum() / large["of"].sum()),
        "false_faults_in_1000_weeks": 1000 * float(rest["alarms"].sum() / _weeks(alarms)),
        "false_events_in_1000_weeks": 1000 * float(short["alarms"].sum() / _weeks(alarms)),
        "things_found": float(odd["seen"].sum() / odd["of"].sum()),
        "wrong_plans": float(every["share"]),
        "saving_covered": float(tried["queues"]),
    }


def _weeks(alarms: pd.DataFrame) -> float:
    """Return the detector-weeks of `healthy`, of which each kind has a row."""
    return float(alarms.loc[alarms["kind"] == KINDS[0], "weeks"].sum())


def answer(known: dict[str, float], verdicts: pd.DataFrame) -> str:
    """Return the answer of the page; `known` as from `metrics`."""
    every = verdicts.iloc[-1]
    return (
        f"Of {every['tried']:.0f} plans to try {every['wrong']:.0f} are worse on the road of today "
        f"({100 * every['share']:.1f} %, at most {100 * every['high']:.1f}). Healthy detectors "
        f"have {known['false_faults_in_1000_weeks']:.1f} false faults and changes in 1,000 weeks, "
        f"and {known['false_events_in_1000_weeks']:.1f} false events. Of ceilings "
        f"{100 * known['not_cut_off_wrong']:.1f} % are said to be none, and "
        f"{100 * known['large_changes_found']:.0f} % of changes by 40 % are found."
    )


def lines(
    ceilings: pd.DataFrame,
    jumps: pd.DataFrame,
    unchanged: pd.DataFrame,
    alarms: pd.DataFrame,
    odd: pd.DataFrame,
    verdicts: pd.DataFrame,
    promised: pd.DataFrame,
) -> list[str]:
    """Return the results that decide whether the page can be believed, a line each."""
    out = []
    for row in ceilings.itertuples():
        know = "capacity known" if row.known else "capacity unknown"
        out.append(f"{know}, {row.what}: {row.seen} of {row.of} ({row.low:.3f} to {row.high:.3f})")
    for size, own in jumps.groupby("size"):
        seen, dated = own["seen"].sum(), own["dated"].mean()
        out.append(
            f"level {size:g} times: called a change in {seen} of {own['of'].sum()}"
            + (f", dated within a week {dated:.2f}" if seen else "")
        )
    for row in unchanged.itertuples():
        out.append(f"no change, {row.truth}, {row.place}: {row.per_1000:.2f} in 1,000 weeks")
    groups = alarms.groupby("kind", sort=False)[["alarms", "weeks"]].sum()
    for kind, row in groups.iterrows():
        out.append(f"healthy, {kind}: {1000 * row['alarms'] / row['weeks']:.2f} in 1,000 weeks")
    for row in odd.itertuples():
        out.append(f"{row.what}: called {row.kind} in {row.seen} of {row.of}, fault {row.fault}")
    for row in verdicts.itertuples():
        out.append(f"{row.variant}: {row.tried} of {row.plans} to try, {row.wrong} of them worse")
    for row in promised.itertuples():
        out.append(
            f"saving by {row.truth}, {row.plans}: held in {row.share:.3f} of {row.towns} towns "
            f"({row.low:.3f} to {row.high:.3f}), promised {row.nominal:g}"
        )
    return out


def calling(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a figure of `called` shows: the share of each, by what is known."""
    capacity = table["known"].map({True: "capacity known", False: "capacity unknown"})
    return table.assign(capacity=capacity)[["what", "capacity", "share"]]


def describe(table: pd.DataFrame) -> str:
    """Say what is to be seen in the figure; `table` as from `calling`."""
    parts = [f"{row.what}, {row.capacity}: {row.share:.2f}" for row in table.itertuples()]
    return f"Shares of approaches. {'; '.join(parts)}."
