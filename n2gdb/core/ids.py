"""The name of a unit under the name that it had while neurons were all there was; see ``units``."""

from __future__ import annotations

from n2gdb.core.units import UnitName as NeuronName

__all__ = ["NeuronName"]
