#!/usr/bin/env bash
# scipy 1.17.1 with numpy 2.4.6.
# Guess beforehand: scipy.special, which a program imports for one function of normal quantiles,
# loads its own compiled functions and those parts of numpy that it computes with.
# Behaviour: it also loads numpy's generator of Fortran wrappers, its module of tests with the
# standard library's unittest, and all classes of polynomials, since a copy of array-api-compat
# inside scipy asks numpy for every name it lists, and numpy loads such parts when their name is
# asked for. Output seen (numbers of modules):
#   before: {'numpy.f2py': 0, 'numpy.testing': 0, 'numpy.polynomial': 0, 'unittest': 0}
#   after: {'numpy.f2py': 17, 'numpy.testing': 5, 'numpy.polynomial': 9, 'unittest': 9}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

PARTS = ("numpy.f2py", "numpy.testing", "numpy.polynomial", "unittest")


def loaded():
    return {part: sum(f"{name}.".startswith(f"{part}.") for name in sys.modules) for part in PARTS}


import numpy

print("before:", before := loaded())
from scipy.special import ndtri

print("after:", after := loaded())
assert not any(before.values())
assert all(after.values())
assert abs(ndtri(0.975) - 1.959964) < 1e-6
PYTHON
