"""Evaluation of a stored database: held-out text, trajectories, true activations."""
