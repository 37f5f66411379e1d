"""Evidence: signed weights of tokens that tell where a unit fires, and running them on text."""
