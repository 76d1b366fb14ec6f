"""What `dvc exp run -S` writes into params.yaml comes back as it was meant."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml

from datamall.project import load_parameters
from datamall.yamlfile import PLAN_TEXTS, load

PARAMETERS = """\
s:
  p: 0.05  # a reason
  reference: {country: NO, code: 0014}
  leave_out: {origin: [NO, yes, 08, 1.0, 8e-1, 12:30, 2019-01-01]}
  low: 8e-1
"""


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("0.00001", 1e-5),
        ("1e-20", 1e-20),
        ("1e16", 1e16),
        ("8", 8),
        ("8.0", 8.0),
        ("true", True),
        ("null", None),
        ("inf", float("inf")),
        ("NO", "NO"),
        ("yes", "yes"),
        ("0014", "0014"),
        ("12:30", "12:30"),
        ("2019-01-01", "2019-01-01"),
        ("''", ""),
        *((f"'{text}'", text) for text in ("8", "true", "null", "~", "1e5", "1_000", "0b11", "<<")),
        ("[1, 2.0, true, null, '1e-5', NO]", [1, 2.0, True, None, "1e-5", "NO"]),
        ("{a: 1, b: '01'}", {"a": 1, "b": "01"}),
        ("[]", []),
    ],
)
def test_a_value_that_dvc_writes(tmp_path: Path, given: str, meant: Any) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMETERS, encoding="utf-8")
    before = load(path, "params.yaml", PLAN_TEXTS)["s"]
    apply_overrides(path, [f"s.p={given}"])
    section = load(path, "params.yaml", PLAN_TEXTS)["s"]
    # repr: 8 == 8.0 and 1 == True, and they are not the same.
    assert repr(section.pop("p")) == repr(meant) == repr(load_yaml(path)["s"]["p"])
    del before["p"]
    assert repr(section) == repr(before)  # and nothing beside it became something else


def test_the_parameters_themselves(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "params.yaml", tmp_path)
    before = load_parameters(tmp_path)
    apply_overrides(tmp_path / "params.yaml", ["enforcement.fdr=0.00001", "enforcement.top=7"])
    before["enforcement"] |= {"fdr": 0.00001, "top": 7}
    assert repr(load_parameters(tmp_path)) == repr(before)
