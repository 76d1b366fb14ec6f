#!/usr/bin/env bash
# python-calamine 0.9.1 (workbook written by openpyxl 3.1.5).
# Guess beforehand: an error in a cell comes as its text, "#N/A", or raises; a formula without a
# stored value comes as None or as its text.
# Behaviour: both come as "", the same as a cell with nothing in it, so that a broken sum looks like
# a missing number. pandas hands the same blank on with engine="calamine". Output seen:
#   [['n', 'm'], [1.0, ''], [2.0, ''], [3.0, '']]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet python-calamine==0.9.1 openpyxl==3.1.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import openpyxl
import python_calamine

book = openpyxl.Workbook()
for row in (["n", "m"], [1, "#N/A"], [2, "=A2+1"], [3, None]):
    book.active.append(row)
assert book.active["B2"].data_type == "e" and book.active["B3"].data_type == "f"
book.save("a.xlsx")
rows = python_calamine.load_workbook("a.xlsx").get_sheet_by_index(0).to_python()
print(rows)
assert rows == [["n", "m"], [1.0, ""], [2.0, ""], [3.0, ""]]
PYTHON
