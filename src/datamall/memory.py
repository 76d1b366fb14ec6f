"""Memory that is freed goes back to the system at once, so that a program holds what it needs.

By default the allocators keep it for what may come, which for tables of millions of rows is several
times what is held at the end.
"""

import ctypes
import os
import sys

# Bytes: from which a block is the system's own, and free at the top. Smaller ones are made and
# freed so often that having them anew from the system each time took a quarter of a page's time.
ROOM, KEPT = 4_194_304, 4_194_304
# The same for a process that is to be started.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(ROOM),
    "MALLOC_TRIM_THRESHOLD_": str(KEPT),
}
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3)


def give_back() -> None:
    """Have this process do so from now on, where its C library can (glibc).

    Best before Arrow is imported, which makes its pool of memory as it starts.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in ((_MMAP_THRESHOLD, ROOM), (_TRIM_THRESHOLD, KEPT), (_ARENA_MAX, 2)):
            mallopt(setting, value)
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", ENVIRONMENT["ARROW_DEFAULT_MEMORY_POOL"])
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def load_scipy_alone() -> None:
    """Load scipy's special functions without parts of numpy that nothing here calls.

    scipy asks numpy for each of its names as it starts, and numpy then loads its generator of
    Fortran wrappers and its tests (findings/scipy_special_loads_the_wrapper_of_fortran.sh). While
    scipy starts, these two names stand for nothing; afterwards they are numpy's again.
    """
    import numpy

    nothing = object()
    names = [name for name in ("f2py", "testing") if name not in vars(numpy)]
    for name in names:
        setattr(numpy, name, nothing)
    try:
        import scipy.special  # noqa: F401
    finally:
        for name in names:
            if getattr(numpy, name) is nothing:
                delattr(numpy, name)


def let_go() -> None:
    """Give the system back what is free by now, where the C library can."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def after_each_cell() -> None:
    """Have the kernel of a notebook let go of what is free when a cell has run.

    What a cell needed on the way is scattered among what it leaves, and stays with the process
    otherwise: of the page of nine million inspections a quarter. Elsewhere than in a kernel this
    does nothing.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.events.register("post_run_cell", _has_run)


def _has_run(_result: object) -> None:
    let_go()
