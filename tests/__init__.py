"""Tests: what n2gdb promises, held."""
