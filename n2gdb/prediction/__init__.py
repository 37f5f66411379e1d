"""Graphs run on text: who fires, and how one unit reads a text."""
