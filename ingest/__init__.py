"""Learning graphs from a model: the pipeline from a model and a corpus to a database."""
