"""Data sets in the formats of those who made them: what each is, and how its files are read."""
