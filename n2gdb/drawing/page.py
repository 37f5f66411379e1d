"""A standalone HTML page around an SVG."""

from __future__ import annotations

from html import escape

__all__ = ["page_of"]


def page_of(title: str, svg: str) -> str:
    """Return HTML that shows an SVG: light or dark as the reader's system is, nothing fetched."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>:root{{color-scheme:light dark}}"
        "body{margin:1.2rem auto;max-width:max-content;padding:0 1rem;overflow-x:auto}"
        f"svg{{max-width:none;height:auto}}</style></head><body><main>{svg}</main></body></html>\n"
    )
