"""The page around a report's plots: headings, tables, light and dark, no request to anywhere."""

from collections.abc import Sequence
from html import escape
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6577; --line: #d9dee7; --page: #fff;
  --c0: #1f5fbf; --c1: #c2571a; --c2: #2e7d4f; --c3: #8a4fb5; --c4: #8a6d00; --pale: #9db4d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --soft: #a3adbd; --line: #363e4c;
  --page: #14181f; --c0: #7fb0ff; --c1: #ff9e66; --c2: #74d19a; --c3: #cf9cf0; --c4: #e0c04f;
  --pale: #4d648a; } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 52rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-top: 1.5rem; }
figure { margin: 0; overflow-x: auto; }
figcaption, summary { color: var(--soft); font-size: .9rem; }
summary { cursor: pointer; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: .5rem 0; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line);  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; min-width: 34rem; height: auto; display: block; }
svg text { fill: var(--soft); font-size: 11px; }
svg .grid { stroke: var(--line); fill: none; } svg .whisker { stroke: var(--ink); fill: none; }
svg .band { fill: var(--c0); opacity: .15; }
svg .s0, svg .s1, svg .s2, svg .s3, svg .s4 { fill: none; stroke-width: 1.6; }
svg .s0 { stroke: var(--c0); stroke-width: 2.6; } svg .s1 { stroke: var(--c1); }
svg .s2 { stroke: var(--c2); } svg .s3 { stroke: var(--c3); } svg .s4 { stroke: var(--c4); }
svg .t0 { fill: var(--c0); font-weight: 600; } svg .t1 { fill: var(--c1); }
svg .t2 { fill: var(--c2); } svg .t3 { fill: var(--c3); } svg .t4 { fill: var(--c4); }
svg .b0 { fill: var(--c0); } svg .b1 { fill: var(--pale); }
"""


def page(title: str, sections: Sequence[str]) -> str:
    """Return a whole page. The title is text; sections are HTML."""
    name = escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{name}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{name}</h1>\n{chr(10).join(sections)}\n</main></body></html>\n"
    )


def figure(
    title: str,
    plot: str,
    note: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    level: int = 2,
) -> str:
    """Return a plot (SVG) under its heading, what it says, and its numbers to unfold."""
    return (
        f"<h{level}>{escape(title)}</h{level}><figure>{plot}"
        f"<figcaption>{escape(note)}</figcaption></figure>"
        f"<details><summary>Numbers</summary>{table(headings, rows)}</details>"
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; headings and cells are text."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    whole = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{whole}</table></div>'
