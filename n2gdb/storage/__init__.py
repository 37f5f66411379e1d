"""Storage: shards, the database file, and every statement that is not part of a query."""
