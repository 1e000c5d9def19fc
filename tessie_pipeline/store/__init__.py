"""Postgres: tables, bulk writes, time windows, partitions and sealed secrets."""
