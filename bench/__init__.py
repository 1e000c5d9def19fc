"""Benchmarks: what this project does beside the way it is usually done, as ratios of medians."""
