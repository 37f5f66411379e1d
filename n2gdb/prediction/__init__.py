"""Graphs run on text: which neurons fire, and how one neuron reads a text."""
