"""Every figure in README.md, docs/performance.md and docs/quality.md has its script here."""
