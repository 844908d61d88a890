"""The look of the simulated Beeminder's pages: one style sheet inside the page, no script."""

from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

_STYLE = """
:root{color-scheme:light;--ink:#26241f;--soft:#6b665c;--line:#e4dfd3;--sun:#ffcb06;--paper:#fffdf7}
*{box-sizing:border-box}
body{margin:0;background:#f6f3ea;color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header{background:var(--sun);padding:.8rem 1.2rem;border-bottom:3px solid #26241f}
header a{color:inherit;font-weight:700;text-decoration:none}
header span{margin-left:.8rem;font-size:.9rem}
main{max-width:62rem;margin:1.5rem auto;padding:0 1.2rem}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:1rem 1.2rem;
margin-bottom:1.2rem;overflow-x:auto}
h1{font-size:1.5rem;margin:.2rem 0 1rem}h2{font-size:1.1rem;margin:0 0 .6rem}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}td.n{font-variant-numeric:tabular-nums}
form{display:inline-block;margin:0 .4rem .4rem 0}
button{font:inherit;padding:.35rem .9rem;border:1px solid #26241f;border-radius:7px;
background:#fff;cursor:pointer}
button.main{background:var(--sun);font-weight:600}button:hover{filter:brightness(.95)}
button:focus-visible,a:focus-visible{outline:3px solid #1d5fd0;outline-offset:2px}
code,pre{font-family:ui-monospace,monospace;font-size:.88em}
pre{white-space:pre-wrap;word-break:break-word;background:#f6f3ea;padding:.6rem;
border-radius:7px;margin:.4rem 0}
.soft{color:var(--soft)}.good{color:#1b6e2d}.bad{color:#a81c1c}
select,input{font:inherit;padding:.3rem .5rem}
"""


def page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """A whole page; `body` is HTML, `title` is text."""
    return HTMLResponse(
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><header><a href=/>Beeminder, simulated</a>"
        "<span>no money at stake</span></header>"
        f"<main><h1>{escape(title)}</h1>{body}</main></body></html>",
        status_code=status,
        headers={"cache-control": "no-store"},
    )


def button(action: str, label: str, fields: Mapping[str, str], *, main: bool = False) -> str:
    """A form that posts `fields` to `action`."""
    hidden = "".join(
        f'<input type=hidden name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    kind = ' class="main"' if main else ""
    return (
        f'<form method=post action="{escape(action)}">{hidden}'
        f"<button{kind}>{escape(label)}</button></form>"
    )


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table; heads are text, cells are HTML."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td class=n>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
