"""Queries built in Python instead of text."""
