"""YAML as people write it: the one reader, and the one writer, of every such file here.

What is read is the core schema of YAML 1.2.2 (section 10.3.2), to which DVC's reader keeps but for
dates, ``1_000`` and ``0b11``: only ``true`` and ``false`` are booleans, so that ``NO`` and ``yes``
are words; ``1e-5`` is a number; ``014`` is fourteen, and ``12:30`` and ``2019-01-01`` are texts.
Only the lines that others take over by ``<<`` are from YAML 1.1. Beyond YAML, what says the same
thing twice is refused: in plain YAML the second wins in silence.

A word that is compared with the words of a sheet must stay as it was written: in
``reference: {code: 0014}`` the code is ``0014``, which as a number is 14. So keys are always text,
and `load` keeps as text what stands below the keys that its caller names (`PLAN_TEXTS`).
"""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

from datamall.errors import DatamallError

# Words of an audit's plan or specification whose values are texts: names, and values of a sheet.
PLAN_TEXTS = frozenset(
    {
        "about",
        "among",
        "arm",
        "arms",
        "bands",
        "columns",
        "done",
        "groups",
        "high_bands",
        "leave_out",
    }
    | {"merge", "metric", "name", "norm", "profile", "random", "reason", "reference", "result"}
    | {"sheet", "stage", "stages", "step", "strata", "tab", "title", "total", "where", "who"}
)
# By these the items of a list are told apart; two with the same one contradict each other.
IDENTITY = ("name", "property")
TAG = "tag:yaml.org,2002:"


def _whole(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


# Type → how its text looks, with which characters it begins, and what it becomes.
CORE: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "null": ("~|null|Null|NULL|", "~nN\0", lambda text: None),
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    "int": ("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789", _whole),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
        lambda text: float(re.sub(r"\.(?=[a-zA-Z])", "", text)),
    ),
    "str": ("", "", str),
}
MERGE = ("<<", "<")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Parses with the core schema; in C where PyYAML has it, which is six times as fast."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """Quotes each text that a reader of YAML 1.1 or of 1.2 would take for something else."""


for _name, (_looks, _begins, _) in {**CORE, "merge": (*MERGE, str)}.items():
    _first = ["" if character == "\0" else character for character in _begins]
    for _class in (_Loader, _Dumper):
        if _first:
            _class.add_implicit_resolver(TAG + _name, re.compile(f"^(?:{_looks})$"), _first)


def load(path: Path, name: str, texts: Collection[str] = ()) -> Any:
    """Return what a YAML file holds.

    Parameters
    ----------
    path
        The file.
    name
        What to call it in an error: its path in the project.
    texts
        Keys below which, at any depth, every scalar stays the text that was written, but for
        null: ``0014``, ``TRUE`` and ``8e-1`` are words there. For an audit: `PLAN_TEXTS`.

    Returns
    -------
    dict, list, str, int, float, bool or None
        Keys of mappings are always text, as written.

    Raises
    ------
    DatamallError
        With file and line, when there is no such file, it is no UTF-8 or no YAML, a key is given
        twice, or a list holds a text twice or two items of one ``name`` or ``property``.
    """
    try:
        loader = _Loader(path.read_text("utf-8"))
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except FileNotFoundError:
        raise DatamallError(f"There is no file {name}: write it, or mend its name.") from None
    except UnicodeDecodeError as error:
        raise DatamallError(
            f"{name} is not UTF-8 (byte offset {error.start:,}): save it as UTF-8."
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise DatamallError(f"{name} is not valid YAML{where}: {problem}.") from None
    return None if node is None else _Document(name, frozenset(texts)).value(node, False)


def load_mapping(path: Path, name: str, texts: Collection[str] = ()) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; as `load`, and refuse anything else."""
    content = load(path, name, texts)
    if not isinstance(content, dict):
        raise DatamallError(f"{name} must hold `key: value` lines: see another file beside it.")
    return content


def dump(content: Any) -> str:
    """Return YAML that `load` and DVC read back as it is; keys stay in order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Document:
    """Values of the nodes of one file, which has a name for errors."""

    def __init__(self, name: str, texts: frozenset[str]) -> None:
        self.name, self.texts = name, texts
        self.known: dict[tuple[int, bool], Any] = {}  # a node that others repeat is made once

    def value(self, node: yaml.Node, written: bool) -> Any:
        """Return the value of a node; if `written`, its scalars are texts."""
        place = id(node), written
        if place not in self.known:
            self.known[place] = self  # until it is made: it cannot hold itself
            if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
                self.known[place] = self.mapping(node, written)
            elif isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
                self.known[place] = self.sequence(node, written)
            else:
                self.known[place] = self.scalar(node, written)
        if self.known[place] is self:
            raise self.refusal(node, "this repeats itself without end: write it out")
        return self.known[place]

    def scalar(self, node: yaml.Node, written: bool) -> Any:
        kind = node.tag.removeprefix(TAG)
        if not isinstance(node, yaml.ScalarNode) or kind not in (*CORE, "merge"):
            raise self.refusal(
                node, f"the tag {node.tag.replace(TAG, '!!')} has no meaning here: leave it out"
            )
        if (written and kind != "null") or kind == "merge":
            return node.value
        try:
            return CORE[kind][2](node.value)
        except ValueError:
            raise self.refusal(node, f"{node.value!r} is no {kind}: take its tag out") from None

    def sequence(self, node: yaml.SequenceNode, written: bool) -> list[Any]:
        values = [self.value(item, written) for item in node.value]
        seen: dict[tuple[str, str], yaml.Node] = {}
        for item, value in zip(node.value, values, strict=True):
            if isinstance(value, str):
                self.once(seen, ("", value), item, f"{value!r} is listed")
            for key in IDENTITY if isinstance(value, dict) else ():
                if isinstance(value.get(key), str | int | float):
                    told = str(value[key])
                    self.once(seen, (key, told), item, f"the {key} {told!r} is listed")
        return values

    def mapping(self, node: yaml.MappingNode, written: bool) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        own: dict[str, Any] = {}
        seen: dict[str, yaml.Node] = {}
        for key_node, item in node.value:
            key = key_node.value
            if not isinstance(key, str) or key_node.tag == f"{TAG}null":
                raise self.refusal(key_node, "a key must be a text: put it between quotes")
            self.once(seen, key, key_node, f"the key {key!r} is given")
            if key_node.tag != f"{TAG}merge":
                own[key] = self.value(item, written or key in self.texts)
                continue
            for source in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                if not isinstance(source, yaml.MappingNode):
                    raise self.refusal(source, "<< takes over the lines of a mapping: name one")
                taken = self.value(source, written) | taken
        return taken | own

    def once(self, seen: dict[Any, yaml.Node], key: Any, node: yaml.Node, what: str) -> None:
        """Note what was said, and refuse it the second time."""
        if key in seen:
            first, second = _line(seen[key]), _line(node)
            both = f"line {first}" if first == second else f"lines {first} and {second}"
            raise DatamallError(f"{self.name}: {what} twice, in {both}: keep one of the two.")
        seen[key] = node

    def refusal(self, node: yaml.Node, sentence: str) -> DatamallError:
        return DatamallError(f"{self.name}, line {_line(node)}: {sentence}.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
