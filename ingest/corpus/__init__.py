"""The corpus: documents, windows, and their store on disk."""
