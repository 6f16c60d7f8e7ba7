"""How every measured loop is compiled: cached, without the GIL, in strict IEEE order."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Return `function` compiled at its first call.

    No fastmath: sums keep the order they are written in, so that two processes agree bit for
    bit. Loops that should vectorise therefore run over the axis that is not summed.
    """
    try:
        compiled = _compiled(function, on_disk=True)
    except RuntimeError:  # numba found no folder it may write to: compile in memory
        return _compiled(function, on_disk=False)
    # Numba recompiles when the function's own file changes, but not when a kernel that it calls
    # from another file does: after a pull, old code would rank. All kernels share one stamp.
    index = compiled._cache._cache_file  # type: ignore[attr-defined]
    index._source_stamp = (index._source_stamp, _sources_hash())
    return compiled


def _compiled(function: Function, on_disk: bool) -> Function:
    compiled = numba.njit(function, cache=on_disk, nogil=True, error_model="numpy")
    return cast(Function, compiled)


@cache
def _sources_hash() -> str:
    """Return a hash of all files of this folder that hold kernels."""
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_bytes()
        if b"@kernel" in source:
            found.update(source)
    return found.hexdigest()
