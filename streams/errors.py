"""What can go wrong in streams/, as one tree; the command line turns each into one sentence.

MillstreamError        exit code 1
├── WorldMissing       3: Kafka, Redis, a file or a data set is not there
├── FoundWrong         1: everything was there, and what it holds is wrong
└── BadUsage           2: a flag, a setting or a file's content is not understood
"""

from typing import ClassVar


class MillstreamError(Exception):
    """A fault whose message is a whole sentence for a person, saying what to do if it can."""

    exit_code: ClassVar[int] = 1


class WorldMissing(MillstreamError):
    """Something outside the program is not there."""

    exit_code: ClassVar[int] = 3


class FoundWrong(MillstreamError):
    """What was looked at is wrong."""

    exit_code: ClassVar[int] = 1


class BadUsage(MillstreamError):
    """The command was asked for something that it cannot do."""

    exit_code: ClassVar[int] = 2
