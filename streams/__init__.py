"""Kafka, Faust, wire formats, settings and commands: composes the domain with what leaves."""
