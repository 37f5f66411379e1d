"""Normal forms as Cypher and its parameters."""
