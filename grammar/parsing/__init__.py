"""Parser: text to tree, the tree builders, and what may come next."""
