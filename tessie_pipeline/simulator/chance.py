"""Chance that depends only on the seed and on what it is for.

Every draw names its purpose (site, date, vehicle, week), so that any day can be computed
alone, in any order and after any restart, and comes out the same.
"""

import random


def seeded(*purpose: object) -> random.Random:
    """A random generator that is the same for the same purpose on every machine."""
    return random.Random(":".join(map(str, purpose)))  # noqa: S311 - weather, not secrets
