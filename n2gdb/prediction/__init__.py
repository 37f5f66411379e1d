"""Predictions on text, by evidence and graphs: which neurons fire, and what one neuron does on each token."""
