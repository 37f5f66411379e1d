"""The build: a database from the shards of its runs, table by table."""
