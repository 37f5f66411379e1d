"""Output of commands: tables, files, progress."""
