"""Plans, and their execution."""
