"""The corpus: documents, tokens, context windows, and their store on disk."""
