"""Every record that was parsed is accepted or quarantined, whatever mess the file is in."""

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_intake import STORE, folder, quarantined, stored, write_project

from datamall.errors import DatamallError
from datamall.mall.intake import intake

HEADER = "Nr;Dag;Aantal;Gewicht;Kleur;Opmerking"
FIELDS = {
    "Nr": ["a", "b", "c", "dd", "", " a ", "é", "0"],
    "Dag": ["01-01-2025", "1-1-2025", "31-12-2025", "31-02-2025", "", "2025-01-01"],
    "Aantal": ["1", "2", "0", "-1", "1,5", "1.000", "x", "", "99999999999999999999"],
    "Gewicht": ["", "1,5", "10", "1.5", ",5", "€"],
    "Kleur": ["", "rood", "blauw", "groen"],
    "Opmerking": ["", "Dorpsstraat 1", '"een; twee"', '"een\ntwee"', '"zei ""ja"""', '5" pijp'],
}
orderly = st.tuples(*(st.sampled_from(values) for values in FIELDS.values())).map(";".join)
messy = st.text(alphabet='ab1;,. "\r\n\té€', max_size=30)
lines = st.lists(st.one_of(orderly, orderly, messy), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from([1, 2]))
def test_accepted_and_quarantined_are_all_that_was_parsed(
    records: list[str], newline: str, distinct: bool, threads: int
) -> None:
    text = newline.join([HEADER, *records])
    # Python's own reader is the oracle: another program, with the same view of quotes.
    expected = sum(1 for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") if row) - 1

    def distinctly(document: dict) -> None:
        document["stores"][STORE]["distinct"] = distinct

    with tempfile.TemporaryDirectory() as name:
        root = write_project(Path(name), text.encode("windows-1252"), authority=distinctly)
        try:
            report = intake(root, "tiny", STORE, threads=threads)
        except DatamallError as error:
            refusals = ("header and no records", "end in quarantine", "never closed")
            assert any(refusal in str(error) for refusal in refusals)
            assert not folder(root).exists()
            return
        accepted, apart = stored(root), quarantined(root)
    assert len(accepted) == report["accepted"]
    assert len(apart) == report["quarantined"] == sum(report["reasons"].values())
    assert report["accepted"] + report["quarantined"] == report["parsed"]
    assert report["parsed"] + report.get("merged", 0) == report.get("read", report["parsed"])
    assert report.get("read", report["parsed"]) == expected
    assert len({(row["file"], row["row"]) for row in apart}) == len(apart)
    assert all(2 <= row["row"] <= expected + 1 and row["reason"] and row["detail"] for row in apart)
    keys = [row["id"] for row in accepted]
    assert keys == sorted(set(keys))
    assert not any("Dorpsstraat" in row["raw"] for row in apart)
