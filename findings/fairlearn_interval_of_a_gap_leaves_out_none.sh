#!/usr/bin/env bash
# fairlearn 0.15.0: the bootstrap interval of a difference between equal groups leaves out 0.
#
# Guess beforehand: where two groups are selected exactly as often, the 95 % interval of the
# difference holds the difference, 0, and "the interval is above 0" may be read as evidence of a gap.
#
# Behaviour: MetricFrame.difference_ci takes quantiles of the largest less the smallest rate of each
# draw, which is never negative. Under equality its lower end is above 0 in every one of five seeds:
# the interval leaves out the estimate that it belongs to, and whoever reads it as an interval finds
# a gap in each world without one. With two groups difference() is |a - b|; the more groups, the
# further from 0 the interval lies.
#
# Seen with fairlearn 0.15.0, numpy 2.4.6, pandas 3.1.1, scikit-learn 1.9.1, Python 3.11:
#   difference 0.0; of 5 intervals at 95 % hold it: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fairlearn==0.15.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1
"$folder/venv/bin/python" -W error - <<'PYTHON' | tee "$folder/seen"
from fairlearn.metrics import MetricFrame, selection_rate

# 200 people of each group, of whom exactly half are selected.
groups, decisions = ["a", "b"] * 200, [1, 1, 0, 0] * 100
held = 0
for seed in range(5):
    frame = MetricFrame(
        metrics=selection_rate,
        y_true=decisions,
        y_pred=decisions,
        sensitive_features=groups,
        n_boot=100,
        ci_quantiles=[0.025, 0.975],
        random_state=seed,
    )
    low, high = frame.difference_ci()
    held += low <= frame.difference() <= high
print(f"difference {float(frame.difference())}; of 5 intervals at 95 % hold it: {int(held)}")
PYTHON
diff "$folder/seen" - <<'SEEN'
difference 0.0; of 5 intervals at 95 % hold it: 0
SEEN
