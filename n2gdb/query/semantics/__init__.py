"""What a parsed query means against one database: names, tokens, normal forms."""
