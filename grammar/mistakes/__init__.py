"""Frequent mistakes in queries, and the message for each."""
