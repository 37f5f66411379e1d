"""Records and arrays that every layer shares: graphs, tokens, names, paths; no input or output."""
