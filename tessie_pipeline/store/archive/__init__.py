"""Samples that Postgres no longer has, as Parquet files on any file system."""
