"""HTML that can't be broken by what people type: markup is a type of its own, and a text becomes markup by being escaped.

A document is one file that loads nothing and runs nothing: calm on screen, black on white on A4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NewType

from SpiderSegLib.evaluation.report.page import escaped

#: Markup. Made here alone: `text` escapes, `element` escapes its attributes.
Html = NewType("Html", str)

_STYLE = """
@page { size: A4; margin: 12mm 10mm 15mm; %(margin_boxes)s }
:root { color-scheme: light; font-size: 15px; }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1d2430; background: #eef1f5; margin: 0; }
main { max-width: 64rem; margin: 1.5rem auto; padding: 1.6rem 2rem 2rem; background: #fff; border: 1px solid #d5dbe3; border-radius: 6px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; border-bottom: 1px solid #c3cbd5; padding-bottom: .15rem; break-after: avoid; }
p { margin: .4rem 0; overflow-wrap: anywhere; break-inside: avoid; } p:has(+ .wide) { break-after: avoid; }
.research { border: 1px solid #b98500; border-left-width: 5px; background: #fff8e5; padding: .35rem .8rem; font-weight: 600; }
.state { border-left: 5px solid #5a6675; padding: .1rem .8rem; }
.note { color: #4d5866; font-size: .87rem; }
dl { display: grid; grid-template-columns: max-content 1fr max-content 1.4fr; gap: .1rem .9rem; margin: .8rem 0; }
dt { color: #4d5866; } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: .8rem 0; break-inside: avoid; } footer { break-inside: avoid; }
svg { display: block; max-width: 100%%; height: auto; font-family: inherit; }
figcaption { font-size: .87rem; color: #4d5866; margin-top: .3rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { width: 100%%; border-collapse: collapse; font-size: .87rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid #e1e6ec; }
td { min-width: 4.6em; overflow-wrap: anywhere; } td.whole, td.number { min-width: 0; white-space: nowrap; } .number { text-align: right; }
thead th { border-bottom: 2px solid #8b97a6; vertical-align: bottom; } tbody th { min-width: 5.5em; font-weight: 600; overflow-wrap: anywhere; }
tr { break-inside: avoid; }
.swatch { display: inline-block; width: .75em; height: .75em; margin-right: .45em; border: 1px solid #555; print-color-adjust: exact; }
.mark { display: inline-block; border: 1px solid #8a4b00; color: #8a4b00; border-radius: 3px; padding: 0 .3em; font-size: .9em; font-weight: 600; }
@media (max-width: 48rem) { main { margin: 0; border: 0; padding: 1rem; } dl { grid-template-columns: max-content 1fr; } }
@media print {
  :root { font-size: 9.2pt; }
  body { line-height: 1.35; background: none; color: #000; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
  .research { background: none; border-color: #000; }
  .note, dt, figcaption { color: #000; } .mark { color: #000; border-color: #000; }
  h2 { margin-top: 1.1rem; } .wide { overflow: visible; } th, td { padding: .16rem .3rem; }
}
"""

#: Even a name that got past the escaping could load and run nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_WITHOUT_END = ("meta",)


def text(value: str) -> Html:
    """A text as markup that shows it literally."""
    return Html(escaped(value))


def element(tag: str, *content: Html, **attributes: str) -> Html:
    """An element; attributes of '' are left out, '_' in their names is '-', and one at the end is dropped: class_, font_size."""
    written = "".join(f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"' for name, value in attributes.items() if value)
    return Html(f"<{tag}{written}>" + ("" if tag in _WITHOUT_END else f"{joined(*content)}</{tag}>"))


def joined(*parts: Html) -> Html:
    """Markup behind markup."""
    return Html("".join(parts))


def paragraph(words: str, style: str = "") -> Html:
    """A paragraph, plain or of a class of the style sheet."""
    return element("p", text(words), class_=style)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and what they stand for, in two columns; those without a value are left out."""
    return element("dl", *(element(tag, text(part)) for pair in pairs if pair[1] for tag, part in zip(("dt", "dd"), pair, strict=True)))


def section(title: str, *content: Html) -> Html:
    """A section under its heading."""
    return element("section", element("h2", text(title)), *content)


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[Html]], styles: Mapping[str, str]) -> Html:
    """A table whose first column heads its rows; `name` is for those who can't see what it stands under, `styles` classes of some columns."""
    head = [element("th", text(column), scope="col", class_=styles.get(column, "")) for column in columns]
    body = []
    for row in rows:
        cells = [element("td", cell, class_=styles.get(column, "")) for column, cell in zip(columns[1:], row[1:], strict=True)]
        body.append(element("tr", element("th", row[0], scope="row"), *cells))
    parts = element("thead", element("tr", *head)), element("tbody", *(Html(f"\n{row}") for row in body))
    return element("div", element("table", *parts, aria_label=name), class_="wide")


def document(title: str, footer: str, content: Iterable[Html]) -> str:
    """A whole document; `footer` stands at the lower border of every printed page, beside its number."""
    boxes = (
        f'@bottom-left {{ content: "{_css_text(footer)}"; font: 8pt sans-serif; }} '
        '@bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; }'
    )
    head = [
        element("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", text(title)),
        element("style", Html(_STYLE % {"margin_boxes": boxes})),
    ]
    body = element("main", *(Html(f"\n{part}") for part in content), Html("\n"))
    return f"<!DOCTYPE html>\n{element('html', element('head', *head), Html(chr(10)), element('body', body), lang='en')}\n"


def _css_text(value: str) -> str:
    """The inside of a CSS string that shows a text literally: all but ASCII letters and digits by number, so that nothing ends string or style."""
    known = value.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isascii() and character.isalnum() else f"\\{ord(character):06x}" for character in known)
