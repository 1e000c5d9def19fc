"""Charging as it is stored, with what it cost, Tesla's own records of it, places and tariffs."""
