"""Builds a database file from the shards of runs."""
