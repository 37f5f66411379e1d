"""Compiles normal forms to Cypher with parameters."""
