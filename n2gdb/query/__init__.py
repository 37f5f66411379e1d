"""The query language over a database: parse, bind, compile, execute."""
