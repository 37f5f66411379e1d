"""Figures for print: the paper's figure 2, and the table of a report, as SVG, PNG or PDF.

matplotlib is loaded when one is drawn: the extra ``n2gdb[figures]`` brings it.
"""

from __future__ import annotations

from n2gdb.plotting.files import check_figure
from n2gdb.plotting.layers import draw_trajectories
from n2gdb.plotting.neurons import draw_neuron_trajectories
from n2gdb.plotting.report import ScoredLayer, draw_report

__all__ = ["ScoredLayer", "check_figure", "draw_neuron_trajectories", "draw_report", "draw_trajectories"]
