"""Records and arrays shared by every layer: graphs, tokens, names, paths; no input or output."""
