"""Charging as it is stored, with what it cost and followed: Tesla's records, places and prices."""
