"""How often Python looks for cyclic garbage, of which the cores make next to none."""

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 50)


def calm_collector() -> None:
    """Let the collector pass over what is loaded now, and look at the rest more rarely.

    It went through every profile and module again and again: a fifth to a quarter of the time
    of an event. Memory stays bounded: all but cycles is freed by reference counts as ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
