"""What somebody at a terminal sees of a long intake: k of n files and records, and the time."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from datamall.mall.contracts import Contract
from datamall.mall.intake.read import RawRecords

LONG = 2.0  # seconds after which somebody wants to know
OFTEN = 0.1  # seconds between two looks


class Progress:
    """Two lines on the terminal, one while files are read and one while rows are checked.

    Nothing where there is no terminal, and nothing of what takes less than `LONG` seconds. How many
    records of persons there are it does not say.
    """

    def __init__(self, contract: Contract, sources: list[RawRecords]) -> None:
        from tqdm import tqdm

        self._contract, self._sources = contract, sources
        files = sum(len(source.paths) for source in sources)
        what = f"{contract.name}: files read"
        self._shown: Any = tqdm(total=files, desc=what, **self._settings())

    def _settings(self) -> dict[str, Any]:
        form = "{desc} {n:,} of {total:,}{postfix} [{elapsed}]"
        shown = {"disable": None, "leave": False, "delay": LONG, "bar_format": form}
        return {"miniters": 0, "mininterval": OFTEN, **shown}

    def reading(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass on what is read of a source."""
        for batch in batches:
            yield batch
            read = sum(len(source.parts) + len(source.empty) for source in self._sources)
            if not self._contract.personal:
                records = sum(source.parsed for source in self._sources)
                self._shown.set_postfix_str(f"{records:,} records", refresh=False)
            self._shown.update(read - self._shown.n)

    def checked(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass on what has been checked and sorted, which begins when all was read."""
        from tqdm import tqdm

        rows: Any = None
        for batch in batches:
            if rows is None:
                self._shown.close()
                total = sum(source.parsed for source in self._sources)
                hidden = {"disable": True} if self._contract.personal else {}
                settings = self._settings() | hidden
                rows = tqdm(total=total, desc=f"{self._contract.name}: rows written", **settings)
            rows.update(batch.num_rows)
            yield batch
        self.close()
        if rows is not None:
            rows.close()

    def close(self) -> None:
        """Take away the line of the files."""
        self._shown.close()
