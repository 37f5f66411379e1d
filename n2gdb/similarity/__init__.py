"""Similar neurons: search from one, and all pairs."""
