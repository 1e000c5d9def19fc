"""Backups of the whole database: made, proved, kept, and restored."""
