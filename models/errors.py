"""What can go wrong in the domain: one root."""


class ModelError(Exception):
    """Root of all errors of `millstream.models`."""


class FrameRefused(ModelError):
    """A frame does not continue this replica, or was made with other settings."""


class StateRefused(ModelError):
    """A profile, snapshot or frame cannot be read by this code and these settings."""
