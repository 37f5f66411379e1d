"""Text in, tree out: the parser, the builders of trees, and what may be written next."""
