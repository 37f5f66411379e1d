"""Shards, the database file, and every statement that is not a query's."""
