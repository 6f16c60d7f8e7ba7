"""How every measured loop is compiled: cached, without the GIL, in strict IEEE order."""

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Return `function` compiled at its first call.

    No fastmath: sums keep the order they are written in, so that two processes agree bit for
    bit. Loops that should vectorise therefore run over the axis that is not summed.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder it may write to: compile in memory
        compiled = numba.njit(**options)(function)
    return compiled  # type: ignore[no-any-return]
