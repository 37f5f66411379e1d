"""What a database holds, read: models, neurons, graphs, examples, scores."""
