"""The scan: one pass over the corpus for every unit's top windows."""
