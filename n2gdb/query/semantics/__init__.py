"""The meaning of a parsed query in one database: names, tokens, normal forms."""
