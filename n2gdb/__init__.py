"""n2gdb: every neuron of a language model as a searchable graph of token patterns."""

from __future__ import annotations

from n2gdb.errors import N2gdbError
from n2gdb.graph import NeuronGraph, Pattern, Step
from n2gdb.neuron import NeuronName

__all__ = ["N2gdbError", "NeuronGraph", "NeuronName", "Pattern", "Step", "__version__"]

__version__ = "0.1.0"
