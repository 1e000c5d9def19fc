"""SQL over the archive and Postgres side by side, and their tables as files for analysts."""
