"""A self-hosted data pipeline for Tesla vehicles, Powerwalls and solar."""
