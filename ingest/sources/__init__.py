"""Sources of units beside the MLP: dictionaries (SAEs and transcoders) and their file formats."""
