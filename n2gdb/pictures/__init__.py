"""Neuron graphs and the texts that they are run on, drawn."""
