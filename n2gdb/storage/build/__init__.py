"""From the shards of runs to a new database file: its tables, its rows, what the load counts."""
