"""A Fleet API on loopback with a physical household behind it. Nothing in production imports it."""
