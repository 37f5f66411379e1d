"""Style sheet of readings: colours, rows, and the context that is highlighted on hover."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["READING_CLASS", "reading_style"]

#: On the root of every reading; all rules are below it, so that many stand in one page.
READING_CLASS = "n2gdb-reading"

# A notebook has a theme of its own, which the system's need not be: JupyterLab and VS Code say theirs.
_STYLE = """
.R{color-scheme:light dark;--ink:light-dark(#1f2328,#e6e8eb);--faint:light-dark(#6a737d,#8b949e);
--dot:light-dark(#a9b0b8,#5d6670);
--paper:light-dark(#fff,#15181c);--line:light-dark(#e3e6ea,#2d333b);--track:light-dark(#f1f2f4,#22272e);
--hot:light-dark(#f26b4f,#ab3d26);--mark:light-dark(#9c2108,#ff9d84);
--cool:light-dark(#cfe2fb,#1f4474);--rim:light-dark(#2f6fc4,#79b0f5);
color:var(--ink);background:var(--paper);padding:1em 1.2em 2.4em;font:14px/1.45 system-ui,"Segoe UI",
"Helvetica Neue",Arial,sans-serif;border-radius:6px;text-align:left}
[data-jp-theme-light="true"] .R,.vscode-light .R{color-scheme:light}
[data-jp-theme-light="false"] .R,.vscode-dark .R{color-scheme:dark}
.R .head{margin:0;font-size:1.15em}
.R .head b{font-weight:650}
.R .sum,.R .key{margin:.15em 0 0;color:var(--faint);font-size:.93em}
.R .sum{color:var(--ink)}
.R .key{display:flex;flex-wrap:wrap;align-items:center;gap:.3em 1.4em;margin:.7em 0 1em;
padding:.5em 0;border:solid var(--line);border-width:1px 0}
.R .key>span{display:inline-flex;align-items:center;gap:.5em}
.R .scale{display:inline-block;width:6em;height:.8em;border-radius:2px;
background:linear-gradient(90deg,var(--track),var(--hot))}
.R .text{position:relative;font:15px/1.5 ui-monospace,"SFMono-Regular",Menlo,Consolas,"DejaVu Sans Mono",
monospace;font-variant-ligatures:none}
.R .w{display:inline-block;vertical-align:top;max-width:100%;margin-bottom:.3em;direction:ltr;
unicode-bidi:isolate}
.R .two .w{margin-bottom:.75em}
.R .w b,.R .w s{display:block;border-bottom:2px solid transparent;border-radius:2px;text-decoration:none}
.R .w b{padding:0 1px;font-weight:400;white-space:pre-wrap;overflow-wrap:anywhere;
background:color-mix(in srgb,var(--hot) calc(var(--v,0)*100%),transparent)}
.R .w s{height:.7em;margin-top:1px;border-radius:0 0 2px 2px;
background:color-mix(in srgb,var(--hot) calc(var(--v,0)*100%),var(--track))}
.R .w .on{border-bottom-color:var(--mark)}
.R .w b.on{font-weight:700}
.R .key .w b{margin:0;color:var(--ink)}
.R .far b{color:var(--faint)}
.R .w i{font-style:normal;font-weight:400;color:var(--dot)}
.R .w .on i{color:inherit;opacity:.6}
.R .more{color:var(--faint);font:13px/1.9 system-ui,"Segoe UI",Arial,sans-serif;padding:0 .5em}
.R .nl{display:block}
.R .gap{height:.9em}
.R .t.p{cursor:help;outline:none}
.R .t.p:is(:hover,:focus) .w{position:relative;z-index:1;border-radius:3px;
box-shadow:0 0 0 2px var(--ink)}
.R .gloss{display:none;position:absolute;left:0;z-index:9;box-sizing:border-box;width:max-content;
max-width:min(40em,100%);padding:.4em .7em;border:1px solid var(--line);border-radius:5px;
background:var(--paper);color:var(--ink);box-shadow:0 4px 14px #0003;font-size:13px;line-height:1.5;
white-space:normal;overflow-wrap:anywhere;pointer-events:none}
.R .t:is(:hover,:focus)>.gloss{display:block}
.R .gloss i{font-style:normal;color:var(--faint)}
.R .gloss em{font:12px/1.5 system-ui,"Segoe UI",Arial,sans-serif;color:var(--faint);display:block}
@supports (position-area:bottom){
.R .t:is(:hover,:focus)>.w{anchor-name:--n2gdb-token}
.R .gloss{left:auto;position-anchor:--n2gdb-token;position-area:bottom span-right;margin-top:4px;
min-width:min(14em,80vw);position-try-fallbacks:bottom span-left,bottom}
}
@media print{.R .w b,.R .w s,.R .scale{print-color-adjust:exact}}
"""


def reading_style(depths: Iterable[int]) -> str:
    """Return the style sheet; ``depths`` are how far back from its own a pattern's tokens stand.

    Every token of class ``c3`` has context three tokens before: no script and no rule for each is needed.
    """
    rules = [_STYLE]
    for depth in sorted(set(depths)):
        between = "+.t" * (depth - 1)
        rules.append(
            f".R .t:has({between}+.t.c{depth}:is(:hover,:focus)) .w b"
            "{background:var(--cool);box-shadow:inset 0 -2px var(--rim)}\n"
        )
    return "".join(rules).replace(".R", f".{READING_CLASS}")
