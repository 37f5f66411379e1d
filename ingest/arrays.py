"""Padding of token arrays."""

from __future__ import annotations

__all__ = ["PAD"]

#: Padding after the last token of a short window.
PAD = -1
