"""What leaves Millstream: Redis, HTTP, metrics. Handles ids, floats and records, not models."""
