"""Read the YAML files that people write: contracts and mappings."""

from pathlib import Path
from typing import Any

import yaml

from datamall.errors import DatamallError

# In C where PyYAML has it: six times as fast, and every command reads all contracts.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Loader):  # type: ignore[misc, valid-type]
    """YAML in which a key may be given once: plain YAML lets the last one win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; refuse a key that occurs twice."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue  # `<<` takes over the lines of another mapping, but for those given here
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise DatamallError(f"the key {key!r} is given twice, again in line {line}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, name: str) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Parameters
    ----------
    path
        The file.
    name
        What to call it in an error: its path in the project.

    Raises
    ------
    DatamallError
        When the file is no UTF-8, no YAML, no mapping, or gives a key twice.
    """
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=_UniqueKeys)
    except UnicodeDecodeError as error:
        raise DatamallError(
            f"{name} is not UTF-8 (byte offset {error.start:,}): save it as UTF-8."
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise DatamallError(f"{name} is not valid YAML{where}: {problem}.") from None
    except DatamallError as error:
        raise DatamallError(f"{name}: {error}: keep one of the two.") from None
    if not isinstance(content, dict):
        raise DatamallError(f"{name} must hold `key: value` lines: see another file beside it.")
    return content
