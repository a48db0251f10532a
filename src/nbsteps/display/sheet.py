"""What the pages of HTML have in common: their head, their colours by the reader's system, and their type."""

from __future__ import annotations

from typing import Final

from nbsteps.display.marks import mark
from nbsteps.display.palette import DARK, LIGHT, NAMED, Palette, family, variables
from nbsteps.display.svg import clean

MONO: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"

_BASE: Final = """\
:root{color-scheme:light dark;%s}
@media (prefers-color-scheme:dark){:root{%s}}
@media print{:root{color-scheme:light;%s}}
body{margin:24px;background:var(--nbs-surface);color:var(--nbs-strong);
font:13px/20px system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
h1{font-size:20px;line-height:28px;margin:0;overflow-wrap:anywhere}
p{margin:0 0 16px;color:var(--nbs-soft)}
figure{margin:0 0 24px;overflow-x:auto}
figure svg{display:block}
table{border-collapse:collapse;font-size:12px;line-height:16px;font-variant-numeric:tabular-nums}
th,td{padding:8px 16px 8px 0;border-bottom:1px solid var(--nbs-frame);text-align:left;vertical-align:top}
th{font-size:11px;font-weight:500;color:var(--nbs-soft)}
td svg{width:14px;height:14px;vertical-align:-2px;margin-right:6px}
code{font-family:%s}
th code{font-size:12px;font-weight:600;color:var(--nbs-strong)}"""


def head(title: str, style: str) -> str:
    """Everything before the body. The page may load nothing and run nothing; on paper it is light."""
    light, dark = _declared(LIGHT), _declared(DARK)
    base = _BASE % (light, dark, light, MONO)
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{clean(title)}</title>",
            f"<style>\n{base}\n{style}\n</style></head>",
        )
    )


def _declared(palette: Palette) -> str:
    return ";".join(f"{name}:{colour}" for name, colour in variables(palette).items())


def drawn(state: str) -> str:
    """The mark of a state in the page's own colours."""
    colour = NAMED.hue[family(state)]
    return f'<svg viewBox="0 0 16 16" aria-hidden="true">{mark(state, colour, NAMED.surface)}</svg>'
