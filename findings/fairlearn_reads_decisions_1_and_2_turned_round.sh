#!/usr/bin/env bash
# fairlearn 0.15.0: decisions coded 1 = no, 2 = yes, or in words, are read in silence, and wrongly.
#
# Guess beforehand: a decision that is not 0 or 1 is refused, as fairlearn's true_positive_rate does
# ("values must be from {0, 1} or {-1, 1}"), or else the larger label is yes, as its docstring says
# of the default ("the largest unique value of the y arrays will be used").
#
# Behaviour: selection_rate, and with it demographic_parity_difference, counts what equals 1 as
# selected, and everything else as not. So of decisions coded 1 = no and 2 = yes (as many registers
# do) those who were refused are the selected ones, and the favoured group turns round; of "yes" and
# "no", or "1" and "0" as text, nobody is selected, and the difference between a group that always is
# and one that never is is 0.0: perfect parity. No warning. The rates given the outcome refuse the
# same columns.
#
# Seen with fairlearn 0.15.0, numpy 2.4.6, pandas 3.1.1, scikit-learn 1.9.1, Python 3.11:
#   codes {'a': 0.0, 'b': 1.0} 1.0
#   words {'a': 0.0, 'b': 0.0} 0.0
#   digits as text {'a': 0.0, 'b': 0.0} 0.0
#   true_positive_rate refuses codes, words and digits as text
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fairlearn==0.15.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1
"$folder/venv/bin/python" -W error - <<'PYTHON' | tee "$folder/seen"
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    selection_rate,
    true_positive_rate,
)

# Everybody of group a is selected, nobody of group b; half of each have the outcome.
groups, found = ["a", "a", "b", "b"], [1, 0, 1, 0]
cases = {
    "codes": [2, 2, 1, 1],
    "words": ["yes", "yes", "no", "no"],
    "digits as text": ["1", "1", "0", "0"],
}
refused = []
for name, decisions in cases.items():
    frame = MetricFrame(
        metrics=selection_rate, y_true=found, y_pred=decisions, sensitive_features=groups
    )
    gap = demographic_parity_difference(found, decisions, sensitive_features=groups)
    print(name, frame.by_group.to_dict(), float(gap))
    try:
        true_positive_rate(found, decisions)
    except ValueError:
        refused.append(name)
print("true_positive_rate refuses", ", ".join(refused[:-1]), "and", refused[-1])
PYTHON
diff "$folder/seen" - <<'SEEN'
codes {'a': 0.0, 'b': 1.0} 1.0
words {'a': 0.0, 'b': 0.0} 0.0
digits as text {'a': 0.0, 'b': 0.0} 0.0
true_positive_rate refuses codes, words and digits as text
SEEN
