"""Files of XML, of which the elements at one path are the records.

A record is what the usual JSON of XML (that of xml2js) makes of it, so that one mapping reads both:
an element without attributes and children is its text, and any other holds its children by name,
each name a list, its attributes under ``$`` and its own text under ``_``. Names have no namespace.
"""

from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from datamall.errors import DatamallError


def elements(file: IO[bytes], path: tuple[str, ...], place: str, words: str) -> Iterator[Any]:
    """Yield the elements at a path, one after another; the whole is never in memory.

    Parameters
    ----------
    file
        The file, whose encoding its first line names.
    path
        Names of the elements, from the outermost on.
    place, words
        What to call the file in an error, and where its form is described.

    Raises
    ------
    DatamallError
        If no element lies there, the file is no sound XML, or it brings definitions of its own: by
        them a small file can become an endless one, or read another.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    above: list[Element] = []
    found = False
    try:
        for event, element in iterparse(file, ("start", "end"), forbid_dtd=True):
            if event == "start":
                above.append(element)
                continue
            if tuple(map(_name, above)) == path:
                found = True
                yield _record(element)
            above.pop()
            # What was read is forgotten; what belongs to a record is read with it.
            if above and len(above) < len(path):
                above[-1].remove(element)
    except ParseError as error:
        raise DatamallError(f"{place} is no sound XML ({error}): ask for it again.") from None
    except RecursionError:
        raise DatamallError(f"{place} is nested too deeply: ask for it again.") from None
    except DefusedXmlException:
        raise DatamallError(
            f"{place} brings definitions of its own (a DOCTYPE), which nobody follows here: ask "
            "for it without."
        ) from None
    if not found:
        where = ".".join(path)
        raise DatamallError(
            f"{place} has no element at {where}: say in {words} where its records lie, "
            "`records: names.of.elements`, from the outermost on."
        )


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _record(element: Element) -> Any:
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    record: dict[str, Any] = {}
    if element.attrib:
        record["$"] = {name.rpartition("}")[2]: own for name, own in element.attrib.items()}
    if text:
        record["_"] = text
    for child in element:
        record.setdefault(_name(child), []).append(_record(child))
    return record
