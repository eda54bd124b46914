"""One HTML file that needs nothing else: styles inside, pictures as data, no script. All text is escaped here and nowhere else."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from SpiderSegLib.evaluation.report.wording import RESEARCH_USE

_STYLE = """
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1d2430; background: #fff;
  max-width: 72rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d5dbe3; }
.research { background: #fff4d6; border-left: 4px solid #d99a00; padding: .4rem .8rem; }
.lead { font-size: 1.05rem; } .note { color: #5a6675; font-size: .9rem; } .table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #e6eaef; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #9aa7b6; vertical-align: bottom; }
tbody th { font-weight: normal; } tbody tr:hover { background: #f4f7fa; }
figure { margin: 1.2rem 0; } img { max-width: 100%; height: auto; } figcaption { font-size: .9rem; color: #3c4757; }
li { overflow-wrap: anywhere; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
"""

#: Even a name that got past the escaping could load and run nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def escaped(text: str) -> str:
    """Text as HTML shows it literally, in text and in attributes; bytes of a file name that are no UTF-8 become '?'."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)


def page(title: str, sections: Iterable[str]) -> str:
    """A whole HTML document of sections that are HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escaped(title)}</h1>\n<p class="research">{escaped(RESEARCH_USE)}</p>\n' + "\n".join(sections) + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """The title of a section."""
    return f"<h2>{escaped(text)}</h2>"


def paragraph(text: str, style: str = "") -> str:
    """A paragraph, plain or of style 'note' or 'lead'."""
    return f'<p class="{escaped(style)}">{escaped(text)}</p>' if style else f"<p>{escaped(text)}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escaped(item)}</li>" for item in items) + "</ul>"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row and first column are headings."""
    head = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in rows[0])
    body = "\n".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>' + "".join(f"<td>{escaped(cell)}</td>" for cell in row[1:]) + "</tr>" for row in rows[1:]
    )
    return f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def figure(png: bytes, description: str, caption: str) -> str:
    """A picture inside the file; `description` is for those who can't see it."""
    data = base64.b64encode(png).decode("ascii")
    return f'<figure><img src="data:image/png;base64,{data}" alt="{escaped(description)}"><figcaption>{escaped(caption)}</figcaption></figure>'
