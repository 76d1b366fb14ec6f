"""Text files of any encoding as a stream of UTF-8, and the header of a CSV file."""

import codecs
import csv
import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO

from datamall.errors import DatamallError


class Utf8Stream(io.RawIOBase):
    """A text file as UTF-8 bytes; hashes the raw bytes on the way and adds a last record.

    `blank` is the number of blank lines before the header, which are left out, and `words` says
    in errors where the encoding is described.

    Raises
    ------
    DatamallError
        At the first byte that the encoding does not have, with its line; or when the encoding
        needs a byte-order mark that is not there.
    """

    def __init__(
        self, path: Path, encoding: str, last: str, place: str, words: str = "the mapping"
    ) -> None:
        self._file: BinaryIO = path.open("rb")
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._encoding, self._last, self._place = encoding, last, place
        self._path, self._words = path, words
        self.blank = 0
        self._started = self._ended = False
        self._buffer = b""
        self._offset = 0
        self.hash = hashlib.sha256()

    def readable(self) -> bool:
        """Return True: this stream can be read."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill a buffer with the next bytes; return their number, 0 at the end."""
        while not self._buffer and not self._ended:
            # One byte of an encoding becomes at most four of UTF-8.
            self._buffer = self._next(max(len(target) // 4, 1))
        count = min(len(target), len(self._buffer))
        target[:count], self._buffer = self._buffer[:count], self._buffer[count:]
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _next(self, size: int) -> bytes:
        raw = self._file.read(size)
        self.hash.update(raw)
        self._offset += len(raw)
        self._ended = not raw
        try:
            text = self._decoder.decode(raw, final=self._ended)
        except UnicodeDecodeError as error:
            offset = self._offset - len(error.object) + error.start
            raise DatamallError(
                f"{self._place} is not valid {self._encoding}: byte 0x"
                f"{error.object[error.start]:02x} in line {self._line(offset):,} (byte offset "
                f"{offset:,}); correct its encoding in {self._words}, or ask for a sound file."
            ) from None
        except UnicodeError as error:  # no byte is wrong: there is no byte-order mark
            raise DatamallError(
                f"{self._place} is not valid {self._encoding} ({error}): correct its encoding in "
                f"{self._words}; UTF-16 without a byte-order mark is utf-16-le or utf-16-be."
            ) from None
        if not self._started:
            # A byte-order mark and blank lines before the header are no part of the table.
            before, text = text, text.lstrip("\ufeff\r\n")
            self.blank += len(before[: len(before) - len(text)].strip("\ufeff").splitlines())
            self._started = bool(text)
        return (text + self._last if self._ended else text).encode()

    def _line(self, offset: int) -> int:
        line = 1
        with self._path.open("rb") as file:
            while offset > 0 and (block := file.read(min(offset, 1 << 20))):
                line += block.count(b"\n")
                offset -= len(block)
        return line


def csv_headers(
    path: Path, encoding: str, separator: str, quote: str, place: str, words: str = "the mapping"
) -> list[str]:
    """Return the headers of a CSV file; one without a name is called column00, by its position."""
    size = path.stat().st_size
    if size == 0:
        raise DatamallError(f"{place} is empty (0 bytes): ask for it again.")
    with path.open("rb") as file:
        marked = file.read(3) == codecs.BOM_UTF8
    if marked and codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        raise DatamallError(
            f"{place} is marked as UTF-8 at its start: correct its encoding in {words}, "
            f"which says {encoding}."
        )
    quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    with Utf8Stream(path, encoding, "", place, words) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), "utf-8", newline="")
        lines = csv.reader(text, delimiter=separator, quotechar=quote or None, quoting=quoting)
        try:
            headers = next(lines, None)
        except csv.Error as error:
            raise DatamallError(f"{place} has no readable header: {error}.") from None
    if headers is None:
        raise DatamallError(f"{place} holds blank lines only: ask for it again.")
    return [header.strip() or f"column{position:02d}" for position, header in enumerate(headers)]
