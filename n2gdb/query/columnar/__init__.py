"""Queries answered from columns: every trie and every unit as arrays in memory, walked by numpy."""
