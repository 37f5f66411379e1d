"""Drawings of neuron graphs and of the texts that they are run on."""

from __future__ import annotations

from n2gdb.drawing.picture import (
    Picture,
    beside,
    draw,
    draw_dot,
    draw_graph,
    sheet,
    sketch,
    thumbnail,
    thumbnail_of,
)

__all__ = [
    "Picture",
    "beside",
    "draw",
    "draw_dot",
    "draw_graph",
    "sheet",
    "sketch",
    "thumbnail",
    "thumbnail_of",
]
