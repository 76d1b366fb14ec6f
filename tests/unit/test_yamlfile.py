"""YAML as people write it: words stay words, and nothing is said twice."""

import math
from pathlib import Path
from typing import Any

import pytest

from datamall.errors import DatamallError
from datamall.yamlfile import PLAN_TEXTS, dump, load, load_mapping


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Return a function that reads a text as a file."""

    def read(text: str, texts: Any = ()) -> Any:
        path = tmp_path / "some.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, "data/some.yaml", texts)

    return read


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, type by type: 8 is not 8.0, nor 1 True."""
    return repr(one) == repr(other)


# From the tables of YAML 1.2.2, sections 10.2.1 and 10.3.2.
CORE = {
    None: ["null", "Null", "NULL", "~", ""],
    True: ["true", "True", "TRUE"],
    False: ["false", "False", "FALSE"],
    14: ["14", "+14", "0014", "0o16", "0xE"],
    -19: ["-19", "-019"],
    0.00001: ["1e-5", "1e-05", "1.0E-5", "0.00001", ".00001"],
    0.8: ["8e-1", "0.8", ".8", "+.8"],
    1000.0: ["1e3", "1E+3", "1000.0", "1000."],
    math.inf: [".inf", ".Inf", "+.INF"],
}
WORDS = [
    *("NO", "no", "No", "yes", "Yes", "on", "off", "y", "n", "tRue", "nUll", "None", "NA"),
    *("12:30", "190:20:30", "1_000", "2019-01-01", "2019-01-01T10:00:00Z", "0b11", "0o8", "0x"),
    *("1e", "e5", ".e5", ".", "-", "+", "=", "27.000.5", "inf", "nan", "<<", "1 000"),
]


@pytest.mark.parametrize(("value", "ways"), CORE.items())
def test_the_core_schema(file: Any, value: Any, ways: list[str]) -> None:
    for way in ways:
        assert same(file(f"a: {way}\nb: [{way or '~'}]"), {"a": value, "b": [value]}), way
    assert math.isnan(file(".nan"))


@pytest.mark.parametrize("word", WORDS)
def test_words_stay_words(file: Any, word: str) -> None:
    key = f"'{word}'" if word in ("-", "<<") else word  # signs of YAML's own
    assert file(f"a: [{key}, b]\n{key}: c") == {"a": [word, "b"], word: "c"}


def test_keys_are_text_as_written(file: Any) -> None:
    read = file("yes: 1\nno: 2\ntrue: 3\n01: 4\n1: 5\n2019-01-01: 6\n1e3: 7\n'null': 8")
    assert list(read) == ["yes", "no", "true", "01", "1", "2019-01-01", "1e3", "null"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("reference: {country: NO}", {"country": "NO"}),
        ("reference: {code: 0014}", {"code": "0014"}),
        ("reference: rest", "rest"),
        ("leave_out: {origin: [NO, TRUE, 1, 01, 1.0, NA, None]}", None),
        ("where: {jaar: 2019}", {"jaar": "2019"}),
        ("where: {jaar: [2019, 2020]}", {"jaar": ["2019", "2020"]}),
        ("merge: {band: {high: [2, 9]}}", {"band": {"high": ["2", "9"]}}),
        ("values: {selected: {yes: true, no: false}}", {"selected": {"yes": True, "no": False}}),
        ("values: {s: {1: true, 0: false, '': null}}", {"s": {"1": True, "0": False, "": None}}),
        ("labels: {fraud: {01: true, 1: false}}", {"fraud": {"01": True, "1": False}}),
        ("groups: [2019]", ["2019"]),
        ("columns: {count: 2019}", {"count": "2019"}),
        ("tolerance: {low: 8e-1, high: 1.25}", {"low": 0.8, "high": 1.25}),
        ("tolerance: {within: 1.25}", {"within": 1.25}),
        ("leave_out: {origin: [~, null, 'null']}", {"origin": [None, None, "null"]}),
        ("depth: 2", 2),
    ],
)
def test_words_of_a_plan_are_those_of_a_sheet(file: Any, line: str, meant: Any) -> None:
    if meant is None:
        meant = {"origin": ["NO", "TRUE", "1", "01", "1.0", "NA", "None"]}
    (read,) = file(line, PLAN_TEXTS).values()
    assert same(read, meant)
    (deep,) = file(f"checks: [{{{line}}}]", PLAN_TEXTS)["checks"][0].values()
    assert same(deep, meant)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "data/some.yaml: the key 'a' is given twice, in lines 1 and 3: keep"),
        ("a: {b: 1, b: 1}", "the key 'b' is given twice, in line 1"),
        ("1: x\n'1': y", "the key '1' is given twice, in lines 1 and 2"),
        ("a:\n- x\n- y\n- x", "'x' is listed twice, in lines 2 and 4: keep one"),
        ("a:\n- {name: x}\n- name: x\n  b: 1", "the name 'x' is listed twice, in lines 2 and 3"),
        ("a: [{name: 1}, {name: '1'}]", "the name '1' is listed twice, in line 1"),
        ("a: [{property: unit}, {property: unit}]", "the property 'unit' is listed twice"),
        ("b: &b {c: 1}\na: {<<: *b, <<: *b}", "the key '<<' is given twice, in line 2"),
        ("a: [1\n", "data/some.yaml is not valid YAML, line 2"),
        ("a: b\n---\nc: d", "is not valid YAML, line 2"),
        ("a: &a {b: *a}", "line 1: this repeats itself without end"),
        ("a: !!set {x}", "line 1: the tag !!set has no meaning here"),
        ("a: !!python/name:os.system x", "line 1: the tag !!python/name:os.system has no meaning"),
        ("a: !own x", "line 1: the tag !own has no meaning"),
        ("a: !!int x", "line 1: 'x' is no int"),
        ("a: 1\n? [b]\n: 1", "line 2: a key must be a text"),
        ("a: 1\n~: 1", "line 2: a key must be a text"),
        ("a: 1\n<<: [b]", "line 2: << takes over the lines of a mapping"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(file: Any, text: str, sentence: str) -> None:
    with pytest.raises(DatamallError) as caught:
        file(text)
    assert str(caught.value).startswith("data/some.yaml")
    assert sentence in str(caught.value)


def test_a_text_is_listed_twice_under_a_plan_whatever_it_looks_like(file: Any) -> None:
    assert file("leave_out: {age: [1, 1.0, 01]}", PLAN_TEXTS)
    assert file("weights: [1, 1]") == {"weights": [1, 1]}  # a row of numbers is no list of words
    with pytest.raises(DatamallError, match="'1' is listed twice"):
        file("leave_out: {age: [1, '1']}", PLAN_TEXTS)


def test_lines_are_taken_over_and_the_first_named_and_the_own_win(file: Any) -> None:
    read = file("a: &a {p: 1, q: 2}\nb: &b {q: 3, r: 4}\nc: {q: 9, <<: *a}\nd: {<<: [*a, *b]}")
    assert (read["c"], read["d"]) == ({"p": 1, "q": 9}, {"p": 1, "q": 2, "r": 4})


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    with pytest.raises(DatamallError, match="There is no file some"):
        load(path, "some.yaml")
    path.write_bytes(b"a: \xe9\n")
    with pytest.raises(DatamallError, match=r"some.yaml is not UTF-8 \(byte offset 3\)"):
        load(path, "some.yaml")
    for text in ("", "- a", "a"):
        path.write_text(text)
        with pytest.raises(DatamallError, match="must hold `key: value` lines"):
            load_mapping(path, "some.yaml")


def test_what_is_written_is_read_back(file: Any) -> None:
    values = [value for value in CORE if value is not None]
    texts = [*WORDS, *(way for ways in CORE.values() for way in ways), "a: b", "# no", "two\nlines"]
    content = {"values": [*values, None, [], {}], "texts": dict(enumerate(texts))}
    back = file(dump(content))
    assert same(back["values"], content["values"])
    assert list(back["texts"].values()) == texts
