#!/usr/bin/env bash
# tau-argus audits what a reader can reckon of the counts that it hid, and takes for granted that the
# reader knows the least count of the table, which is itself hidden.
#
# Guess made beforehand: the interval of a hidden count is what the totals in print and "no count is
# below nought" leave. Of four groups by four results, B fp 4 and D tp 3 are small, and B tp and D fp
# are hidden for their sake. In print are B fp + B tp = 18, D fp + D tp = 20, B fp + D fp = 21 and
# B tp + D tp = 17; with t = B fp the others are 18 - t, 21 - t and t - 1, so B fp is 1 to 18.
#
# Seen with pytauargus 0.6.0: Engine.audit says 3 to 15 for B fp. It gives the solver the least count of
# the table (3, hidden) as the lower bound of every count. With one empty cell in the table that bound
# is 0, and the same four counts have the interval 1 to 18. Tables that are "protected" by the audit may
# therefore be less, or more, open than it says; compare only tables with an empty cell.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv v
v/bin/pip install --quiet numpy==2.2.6 pandas==2.3.3 pytauargus==0.6.0
cat > try.py <<'PY'
from pytauargus import protect

COUNTS = {
    "A": (520, 260, 780, 1240), "B": (14, 4, 13, 21), "C": (60, 33, 41, 205), "D": (3, 17, 25, 88)
}


def audited(more):
    rows = {"group": [], "result": [], "n": []}
    for group, counts in (COUNTS | more).items():
        for result, n in zip(("tp", "fp", "fn", "tn"), counts):
            rows["group"] += [group] * n
            rows["result"] += [result] * n
            rows["n"] += [1.0] * n
    done = protect(
        rows, ["group", "result"], response="n", safety_rules="FREQ(10,30)", suppress="OPT(1)"
    )
    cells = done.tables[0].rows
    return {
        (cells[own["cell"]]["group"].strip(), cells[own["cell"]]["result"].strip()):
        (own["min"] + 0.0, own["max"])
        for own in done.engine.audit(0)
    }


print(audited({})["B", "fp"], audited({"E": (70, 80, 0, 90)})["B", "fp"])
PY
seen=$(v/bin/python try.py | tail -n 1)
echo "$seen"
test "$seen" = "(3.0, 15.0) (1.0, 18.0)"
