"""SQL expressions that people write in contracts and mappings, checked before any data are read.

An expression may combine columns with functions that always give the same result. It may not
look elsewhere (subqueries), at other rows (windows, aggregates), at the clock or at chance.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import duckdb

from datamall.errors import DatamallError

ALLOWED = {
    "BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
    "OPERATOR",
}  # fmt: skip


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """Return a text, whole number, decimal number, date or None as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"DATE '{value}'" if hasattr(value, "isoformat") else str(value)


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET enable_external_access = false")
    return connection


@cache
def _fickle() -> set[str]:
    query = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
    return {name for (name,) in _connection().execute(query).fetchall()}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def columns_of(expression: str) -> list[str]:
    """Return the columns that an expression reads, in order of appearance.

    Raises
    ------
    DatamallError
        A clause without the place, such as "… is no SQL expression: …", for the caller to
        complete.
    """
    statement = f"SELECT ({expression}\n)"
    query = f"SELECT json_serialize_sql({literal(statement)})"
    tree: dict[str, Any] = json.loads(_connection().execute(query).fetchall()[0][0])
    if tree["error"] or len(tree["statements"]) != 1:
        problem = tree.get("error_message", "more than one statement").splitlines()[0]
        raise DatamallError(
            f"`{expression}` is no SQL expression: {problem} (write a column name that is an SQL "
            "word, or has a space in it, between double quotes)"
        )
    node = tree["statements"][0]["node"]
    further = [node["from_table"]["type"] != "EMPTY", node["where_clause"], node["modifiers"]]
    names: dict[str, None] = {}
    for part in _nodes(node["select_list"]):
        if part["class"] not in ALLOWED:
            raise DatamallError(
                f"`{expression}` holds a {part['class'].lower()}: use columns of the same row, "
                "functions and CASE only"
            )
        if part["class"] == "FUNCTION" and part["function_name"] in _fickle():
            raise DatamallError(
                f"`{expression}` uses {part['function_name']}(), which does not always give the "
                "same result: leave it out"
            )
        if part["class"] == "COLUMN_REF":
            if len(part["column_names"]) != 1:
                name = ".".join(part["column_names"])
                raise DatamallError(
                    f"`{expression}` reads {name}: write a name with a point in it between "
                    "double quotes"
                )
            names[part["column_names"][0]] = None
    if any(further) or len(node["select_list"]) != 1:
        raise DatamallError(f"`{expression}` is more than one expression: write one")
    return list(names)


def type_of(expression: str, columns: Mapping[str, str]) -> str:
    """Return the SQL type of an expression over columns of given SQL types.

    Raises
    ------
    DatamallError
        A clause, as in `columns_of`, when a function or a combination of types does not exist.
    """
    stubs = ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in columns.items())
    # The further column makes an aggregate fail, which would otherwise see all rows.
    query = f"SELECT ({expression}\n) AS result, stub FROM (SELECT {stubs or '1'}, 1 AS stub)"
    try:
        return str(_connection().execute(f"DESCRIBE {query}").fetchall()[0][1])
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise DatamallError(f"`{expression}` cannot be worked out: {problem}") from None
