"""PNG output: SVG rasterised by resvg, with matplotlib's fonts besides those of the system."""

from __future__ import annotations

from pathlib import Path

from n2gdb.errors import MissingDependencyError

__all__ = ["rasterised"]

_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf")


def rasterised(svg: str, scale: float) -> bytes:
    """Draw an SVG on white, ``scale`` pixels a unit; raise MissingDependencyError without n2gdb[figures]."""
    try:
        import resvg_py
        from matplotlib import get_data_path
    except ImportError as error:
        raise MissingDependencyError(
            "PNG needs resvg-py and matplotlib's fonts: run pip install 'n2gdb[figures]'"
        ) from error
    fonts = Path(get_data_path()) / "fonts" / "ttf"
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=scale,
            background="#ffffff",
            font_files=[str(fonts / name) for name in _FONTS],
            font_family="DejaVu Sans",
            monospace_family="DejaVu Sans Mono",
        )
    )
