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
    return _kept(function, strict=True)


def loose_kernel(function: Function) -> Function:
    """Return `function` compiled so that its sums may be taken in any order, which vectorises them.

    Only for sums that are exact in any order, as of whole numbers. Others differ in their last
    bits even on one machine: what a process has just compiled calls one copy of a function, what
    it has loaded holds another, and the two are vectorised differently.
    """
    return _kept(function, strict=False)


def _kept(function: Function, *, strict: bool) -> Function:
    try:
        compiled = _compiled(function, strict=strict, on_disk=True)
    except RuntimeError:  # numba found no folder it may write to: compile in memory
        return _compiled(function, strict=strict, on_disk=False)
    # Numba recompiles when the function's own file changes, but not when a kernel that it calls
    # from another file does: after a pull, old code would rank. All kernels share one stamp.
    index = compiled._cache._cache_file  # type: ignore[attr-defined]
    index._source_stamp = (index._source_stamp, _sources_hash())
    return compiled


def _compiled(function: Function, *, strict: bool, on_disk: bool) -> Function:
    loose = set() if strict else {"reassoc", "nsz"}
    compiled = numba.njit(
        function, cache=on_disk, nogil=True, error_model="numpy", fastmath=loose or False
    )
    return cast(Function, compiled)


@cache
def _sources_hash() -> str:
    """Return a hash of all files of this folder that hold kernels."""
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_bytes()
        if b"@kernel" in source or b"@loose_kernel" in source:
            found.update(source)
    return found.hexdigest()
