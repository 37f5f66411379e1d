"""Reading a database: models, neurons, graphs, examples, scores."""
