"""The encoders that can be had by name, and which of them a worker opens."""
