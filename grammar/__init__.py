"""The query language: syntax trees, their validation and their text; ``parsing`` reads text."""
