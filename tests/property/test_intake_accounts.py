"""Every record that was parsed is accepted or quarantined, whatever mess the file is in."""

import codecs
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


def any_utf8(raw: bytes) -> bool:
    """Whether text of a code page might as well be UTF-8, as é€€ is."""
    try:
        return not codecs.getincrementaldecoder("utf-8")("strict").decode(raw).isascii()
    except UnicodeDecodeError:
        return False


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
            refusals = ["header and no records", "end in quarantine", "never closed"]
            refusals += ["is written in UTF-8"] if any_utf8(text.encode("windows-1252")) else []
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


WIDE = st.sampled_from(["1", "2", "0", "-1", "x", "", "999999"])
NAMES = st.sampled_from(["a", "b", "c", "dd", "", "é"])
COLOURS = st.sampled_from(["", "rood", "blauw", "groen"])
# Nr, colour, then as many cells as there are days, or one less, which is malformed.
wide_records = st.tuples(NAMES, COLOURS, st.lists(WIDE, min_size=2, max_size=3))
single_records = st.tuples(NAMES, st.sampled_from(["01-01-2025", "x", ""]), COLOURS)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wide=st.lists(wide_records, min_size=1, max_size=8),
    single=st.lists(single_records, min_size=1, max_size=15),
    where=st.booleans(),
    tally=st.booleans(),
    distinct=st.booleans(),
)
def test_accounts_of_wide_records_and_single_ones_together(
    wide: list[tuple[str, str, list[str]]],
    single: list[tuple[str, str, str]],
    where: bool,
    tally: bool,
    distinct: bool,
) -> None:
    """read = accepted + quarantined + merged + left out, for two sources of different shapes."""
    header = "Nr;Kleur;01-01-2025;02-01-2025;03-01-2025\n"
    first = header + "".join(f"{n};{c};{';'.join(cells)}\n" for n, c, cells in wide)
    second = "Nr;Dag;Kleur\n" + "".join(f"{n};{day};{c}\n" for n, day, c in single)

    def contract(document: dict) -> None:
        schema = document["schema"][0]
        del schema["quality"]
        schema["customProperties"] = [{"property": "tally", "value": "amount"}]
        for position, name in ((2, "day"), (3, "colour")):
            own = next(p for p in schema["properties"] if p["name"] == name)
            own.update(required=True, primaryKey=True, primaryKeyPosition=position)

    def authority(document: dict) -> None:
        base = document["files"]["list"]
        document["files"] = {"list": {**base, "path": "w.csv"}, "other": {**base, "path": "s.csv"}}
        colour = {"from": "Kleur", "map": {"rood": "red", "blauw": "blue"}}
        keys = {"id": {"from": "Nr"}, "colour": colour}
        long = {"headers": ".*2025", "name": "dag", "value": "aantal"}
        own = {**keys, "day": {"from": "dag"}, "amount": {"from": "aantal"}}
        more = {"where": "Nr <> 'b'"} if where else {}
        one = {"file": "list", "unpivot": long, "columns": own, "distinct": distinct, **more}
        two = {"file": "other", "columns": {**keys, "day": {"from": "Dag"}}, **more}
        if tally:
            two["events"] = []
        else:
            two |= {"distinct": distinct}
            two["columns"]["amount"] = {"value": "1"}
        document["stores"][STORE] = {"sources": [one, two]}

    whole = sum(len(cells) == 3 for _, _, cells in wide)
    expected = 3 * whole + (len(wide) - whole) + len(single)
    with tempfile.TemporaryDirectory() as name:
        raw = {"w.csv": first.encode("windows-1252"), "s.csv": second.encode("windows-1252")}
        root = write_project(Path(name), raw, contract=contract, authority=authority)
        try:
            report = intake(root, "tiny", STORE)
        except DatamallError as error:
            assert any(words in str(error) for words in ("end in quarantine", "leaves out all"))
            return
        accepted, apart = stored(root), quarantined(root)
    assert report.get("read", report["parsed"]) == expected
    merged, left_out = report.get("merged", 0), report.get("left_out", 0)
    assert report["accepted"] + report["quarantined"] + merged + left_out == expected
    assert (len(accepted), len(apart)) == (report["accepted"], report["quarantined"])
    unwanted = 3 * sum(n == "b" and len(cells) == 3 for n, _, cells in wide)
    assert left_out == where * (unwanted + sum(n == "b" for n, _, _ in single))
    keys = [(row["id"], row["day"], row["colour"]) for row in accepted]
    assert keys == sorted(set(keys))
    places = [(row["file"], row["row"], row["header"]) for row in apart]
    assert len(set(places)) == len(places)
    # Quarantine tells records by their number, and a single record by no header.
    assert all(
        bool(row["header"]) == (row["file"] == "w.csv") for row in apart if row["raw"] != "{}"
    )
