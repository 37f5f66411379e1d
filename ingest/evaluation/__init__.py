"""What a stored database is held against: held-out text, trajectories, true activations."""
