"""Subject models: loading, sites, and passes through their layers."""
