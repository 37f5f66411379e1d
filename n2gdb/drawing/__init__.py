"""Neuron graphs and the texts that they are run on, drawn."""

from __future__ import annotations

from n2gdb.drawing.picture import Picture, beside, draw, draw_dot, draw_graph, sheet, thumbnail

__all__ = ["Picture", "beside", "draw", "draw_dot", "draw_graph", "sheet", "thumbnail"]
