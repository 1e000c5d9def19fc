"""Pure functions on Polars frames and plain values: no I/O, no clock, no Dagster."""
