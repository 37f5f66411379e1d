"""Similar units: search from one, and all pairs."""
