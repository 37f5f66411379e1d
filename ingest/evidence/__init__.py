"""Evidence: what a unit does over the whole corpus, and few signed weights that predict it."""
