"""Evidence: a few signed weights per unit that predict where it fires, learned from the corpus."""
