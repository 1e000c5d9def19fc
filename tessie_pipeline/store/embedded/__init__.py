"""The embedded Postgres: who shares it (`postgres`), how it runs (`server`), and its programs."""
