"""Subject models: loading them, their sites, and the passes through their layers."""
