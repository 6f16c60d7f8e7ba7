"""What can go wrong at the edge, and what each fault asks of the caller.

ExporterError
├── StoreUnavailable   the store cannot answer now: wait `retry_after_s`, then do it again
├── StoreError         the store answered, and waiting will not change the answer
└── PortTaken          the address for /metrics is in use or not ours
"""


class ExporterError(Exception):
    """The root of all that `millstream.exporters` raises on purpose."""


class StoreUnavailable(ExporterError):
    """The store did not answer, or said "not now"; whether a write was done is not known.

    Doing it again is safe: every write is a compare-and-set or says the same thing twice.
    """

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class StoreError(ExporterError):
    """The store refused: wrong password, another type under our key, a broken value."""


class PortTaken(ExporterError):
    """The metrics server cannot listen at this address."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot serve metrics at {host}:{port}: {reason}")
        self.host = host
        self.port = port
