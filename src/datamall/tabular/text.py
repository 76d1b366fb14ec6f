"""Text files of any encoding, packed or not, as a stream of UTF-8, and the header of a CSV file."""

import codecs
import csv
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow.compute as pc

from datamall.errors import DatamallError
from datamall.project import file_digest
from datamall.tabular.form import Form, plain

PACKED = {b"\x1f\x8b": "gz", b"PK\x03\x04": "zip", b"PK\x05\x06": "zip"}
UNSOUND = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, RuntimeError)
HEAD = 1 << 20  # characters among which the first record must begin
LINE = re.compile(r"\r\n|\r|\n")
# Excel's own first line: it is no row of the sheet.
SEPARATOR = re.compile(r"[\r\n]*\"?sep=(.)\"?[ \t]*(?:\r\n|\r|\n|\Z)", re.IGNORECASE)
# In UTF-8, what composes with the character before it begins with no lower byte than this.
COMPOSING = 0xCC
ODD_SPACES = [space.encode() for space in "\u00a0\u2007\u202f\ufeff"]


def packed(path: Path) -> str | None:
    """Return how a file is packed, by its first bytes: gz, zip or None."""
    with path.open("rb") as file:
        first = file.read(4)
    return next((kind for mark, kind in PACKED.items() if first.startswith(mark)), None)


def opened(path: Path, place: str) -> IO[bytes]:
    """Open a file, or what is packed in it as gz or as the one member of a zip.

    Raises
    ------
    DatamallError
        If it is no sound zip, or has another number of members than one.
    """
    kind = packed(path)
    if kind == "gz":
        return cast(IO[bytes], gzip.open(path))
    if kind is None:
        return path.open("rb")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            names = [name for name in names if not name.startswith("__MACOSX/")]
            if len(names) != 1:
                known = f": {', '.join(names[:5])}" if names else ""
                raise DatamallError(
                    f"{place} holds {len(names):,} files{known}; one is read: unpack it, and give "
                    "`path` a pattern."
                )
            return archive.open(names[0])
    except UNSOUND as error:
        raise _unsound(place, error) from None


def _unsound(place: str, error: Exception) -> DatamallError:
    why = (str(error) or type(error).__name__).splitlines()[0]
    return DatamallError(f"{place} cannot be unpacked in full ({why}): ask for it again.")


class Utf8Stream(io.RawIOBase):
    """A text file as UTF-8 bytes from its header on, with a last record of ours added.

    A byte-order mark, a line ``sep=;``, blank lines before the header or the lines above
    `Form.header_row` are left out. `blank` is how many lines before the header that has; and
    `words` says in errors where the form of the file is described.

    Raises
    ------
    DatamallError
        At the first byte that the encoding does not have, with its line; when the encoding needs a
        byte-order mark that is not there; when what is to be of a Windows code page is UTF-8; when
        the file names another separator itself, or cannot be unpacked.
    """

    def __init__(
        self, path: Path, spec: Form, last: str, place: str, words: str = "the mapping"
    ) -> None:
        kind = packed(path)
        # What is packed is hashed as it lies there; a plain file on the way, in one reading.
        self._digest = file_digest(path) if kind else ""
        self._hash = hashlib.sha256()
        self._file = opened(path, place)
        self._decoder = codecs.getincrementaldecoder(spec.encoding)("strict")
        name = codecs.lookup(spec.encoding).name
        # Whether all may be UTF-8, which is looked into where one byte is one character.
        own = None if name.startswith("utf") else codecs.getincrementaldecoder("utf-8")("strict")
        self._other: codecs.IncrementalDecoder | None = own
        self._spec, self._last, self._place = spec, last, place
        self._path, self._words = path, words
        self.blank = 0
        self._started = self._ended = False
        self._head = ""
        self._buffer = b""
        self._offset = 0

    @property
    def sha256(self) -> str:
        """Digest of the file, once it has been read to the end."""
        return self._digest or self._hash.hexdigest()

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
        try:
            raw = self._file.read(size)
        except UNSOUND as error:
            raise _unsound(self._place, error) from None
        if not self._digest:
            self._hash.update(raw)
        self._offset += len(raw)
        self._ended = not raw
        encoding = self._spec.encoding
        self._refuse_utf8(raw)
        try:
            text = self._decoder.decode(raw, final=self._ended)
        except UnicodeDecodeError as error:
            offset = self._offset - len(error.object) + error.start
            raise DatamallError(
                f"{self._place} is not valid {encoding}: byte 0x"
                f"{error.object[error.start]:02x} in line {self._line(offset):,} (byte offset "
                f"{offset:,}); correct its encoding in {self._words}, or ask for a sound file."
            ) from None
        except UnicodeError as error:  # no byte is wrong: there is no byte-order mark
            raise DatamallError(
                f"{self._place} is not valid {encoding} ({error}): correct its encoding in "
                f"{self._words}; UTF-16 without a byte-order mark is utf-16-le or utf-16-be."
            ) from None
        if not self._started:
            text = self._begin(text)
        return (text + self._last if self._ended else text).encode()

    def _refuse_utf8(self, raw: bytes) -> None:
        """Refuse UTF-8 that is to be read as something else: é would be Ã© without a word."""
        if self._other is None or raw.isascii():
            return
        try:
            text = self._other.decode(raw)
        except UnicodeDecodeError:
            self._other = None
            return
        odd = next((mark for mark in text if not mark.isascii()), None)
        if odd is not None:
            raise DatamallError(
                f"{self._place} is written in UTF-8 (it has {odd!r} so), and {self._words} says "
                f"{self._spec.encoding}: correct its encoding there."
            )

    def _begin(self, text: str) -> str:
        """Return the text from the header on, once enough of it is there."""
        self._head += text
        above = self._spec.header_row - 1
        few = len(self._head) < HEAD and len(LINE.findall(self._head)) < above + 3
        if few and not self._ended:
            return ""
        head = self._head.lstrip("\ufeff")
        said = SEPARATOR.match(head)
        if said and self._spec.format == "csv":
            if said[1] != self._spec.separator:
                raise DatamallError(
                    f"{self._place} says sep={said[1]} in its first line, and {self._words} "
                    f"{self._spec.separator!r}: write `separator: {said[1]!r}` there."
                )
            head = head[said.end() :]
        if above:
            ends = [line.end() for line in LINE.finditer(head)]
            head = head[ends[above - 1] :] if above <= len(ends) else ""
        else:
            before, head = head, head.lstrip("\r\n")
            self.blank = len(before[: len(before) - len(head)].splitlines())
        self._started, self._head = bool(head), head
        return head

    def _line(self, offset: int) -> int:
        line = 1
        with opened(self._path, self._place) as file:
            while offset > 0 and (block := file.read(min(offset, 1 << 20))):
                line += block.count(b"\n")
                offset -= len(block)
        return line


def csv_headers(path: Path, spec: Form, place: str, words: str = "the mapping") -> list[str]:
    """Return the headers of a CSV file; one without a name is called column00, by its position."""
    if path.stat().st_size == 0:
        raise DatamallError(f"{place} is empty (0 bytes): ask for it again.")
    with opened(path, place) as file:
        try:
            marked = file.read(3) == codecs.BOM_UTF8
        except UNSOUND as error:
            raise _unsound(place, error) from None
    if marked and codecs.lookup(spec.encoding).name not in ("utf-8", "utf-8-sig"):
        raise DatamallError(
            f"{place} is marked as UTF-8 at its start: correct its encoding in {words}, "
            f"which says {spec.encoding}."
        )
    quoting: Any = csv.QUOTE_MINIMAL if spec.quote else csv.QUOTE_NONE
    marks: dict[str, Any] = {"delimiter": spec.separator, "quotechar": spec.quote or None}
    with Utf8Stream(path, spec, "", place, words) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), "utf-8", newline="")
        try:
            headers = next(csv.reader(text, quoting=quoting, **marks), None)
        except csv.Error as error:
            raise DatamallError(f"{place} has no readable header: {error}.") from None
    if headers is None:
        raise DatamallError(
            f"{place} holds blank lines only: ask for it again."
            if spec.header_row == 1
            else f"{place} has no line {spec.header_row:,}, where its header should be: correct "
            f"`header_row` in {words}."
        )
    return titles(list(spec.columns) or headers)


def titles(texts: list[str]) -> list[str]:
    """Return headers as they are looked for; one without a text is called by its position."""
    plainly = [plain(text).strip() for text in texts]
    return [text or f"column{position:02d}" for position, text in enumerate(plainly)]


def tidy(texts: Any) -> Any:
    """Return an array of text in one form: trimmed, composed (NFC), with plain spaces."""
    texts = pc.ascii_trim_whitespace(texts)
    data = texts.buffers()[2]
    highest = np.frombuffer(data, np.uint8).max() if data is not None and len(data) else 0
    if highest < 0x80:  # as good as always, and all are plain
        return texts
    known = data.to_pybytes()
    if any(space in known for space in ODD_SPACES):
        texts = pc.replace_substring_regex(texts, "[\u00a0\u2007\u202f]", " ")
        texts = pc.ascii_trim_whitespace(pc.replace_substring(texts, "\ufeff", ""))
    return pc.utf8_normalize(texts, "NFC") if highest >= COMPOSING else texts
