"""`python -m millstream.streams`: the command line."""

from millstream.streams.cli import main

main()
