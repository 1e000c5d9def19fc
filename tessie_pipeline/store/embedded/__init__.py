"""A Postgres server that nobody has to install."""
