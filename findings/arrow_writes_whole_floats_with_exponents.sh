#!/usr/bin/env bash
# pyarrow 26.0.1.
# Guess beforehand: casting whole floats to text gives their digits, as for 2019.0, which is 2019;
# a column of numbers with one missing value is a column of floats in pandas.
# Behaviour: from eleven digits on the text has an exponent, so that a whole number (an identifier, a
# sum) is no longer one. Output seen:
#   ['2019', '123456789', '1.234567891e+10', '1e+10']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow as pa
import pyarrow.compute as pc

texts = pc.cast(pa.array([2019.0, 123456789.0, 12345678910.0, 1e10]), pa.string()).to_pylist()
print(texts)
assert texts == ["2019", "123456789", "1.234567891e+10", "1e+10"]
PYTHON
