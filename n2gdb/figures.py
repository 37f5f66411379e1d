"""Figures for print: the paper's figure 2, and the table of a report, as SVG, PNG or PDF.

matplotlib is loaded when one is drawn: the extra ``n2gdb[figures]`` brings it.
"""

from __future__ import annotations

from n2gdb.figure_file import check_figure
from n2gdb.figure_layers import draw_trajectories
from n2gdb.figure_neuron import draw_neuron_trajectories
from n2gdb.figure_report import ScoredLayer, draw_report

__all__ = ["ScoredLayer", "check_figure", "draw_neuron_trajectories", "draw_report", "draw_trajectories"]
