"""Every figure in README.md and docs/performance.md is printed by a script in this folder."""
