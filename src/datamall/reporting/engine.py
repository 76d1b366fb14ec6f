"""How papermill runs a notebook here: saved once, at its end or as far as it came.

Papermill saves a notebook before and after each of its cells. With tables of a large city in it,
that took longer than most of the cells. Before it is saved, what identifies persons is taken out.
"""

from collections.abc import Collection
from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

from datamall.reporting.outputs import withhold

NAME = "datamall"


class Engine(NBClientEngine):
    """Papermill's own engine, but for when it saves."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        people: Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Run the cells; save where the run breaks off, as papermill does where it ends."""
        save = nb_man.save
        nb_man.save = lambda **_: None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
            withhold(nb_man.nb, people)
        except BaseException:
            withhold(nb_man.nb, people)
            save()
            raise
        finally:
            nb_man.save = save


papermill_engines.register(NAME, Engine)
