"""Calls to Tesla: what they cost, what they answered, and when the next ones may come."""
