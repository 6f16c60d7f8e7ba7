"""What can go wrong in the domain: one root."""

from typing import Final, Literal, get_args

EncoderFault = Literal[
    "not-allowed",
    "too-large",
    "corrupt",
    "external-data",
    "unknown-operators",
    "wrong-input",
    "wrong-output",
    "wrong-shape",
    "not-finite",
    "bad-config",
]
ENCODER_FAULTS: Final[tuple[EncoderFault, ...]] = get_args(EncoderFault)

MediaFault = Literal["empty", "too-large", "unknown-format", "too-many-pixels", "corrupt"]
MEDIA_FAULTS: Final[tuple[MediaFault, ...]] = get_args(MediaFault)


class ModelError(Exception):
    """Root of all errors of `millstream.models`."""


class FrameRefused(ModelError):
    """A frame does not continue this replica, or was made with other settings."""


class StateRefused(ModelError):
    """A profile, snapshot or frame cannot be read by this code and these settings."""


class EncoderRefused(ModelError):
    """A model file or its folder is not one that is run; the message says what to do."""

    def __init__(self, reason: EncoderFault, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: EncoderFault = reason


class MediaRefused(ModelError):
    """A picture, sound or film that is not decoded."""

    def __init__(self, reason: MediaFault, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: MediaFault = reason
