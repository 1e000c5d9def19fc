"""What a Tesla's vehicle identification number says: model, model year and plant.

Positions and letters: `fleet_api.md` 8.1, after TeslaPy and TeslaLogger. The check digit is not
tested, for masked numbers fail it. Trim and battery do not follow from the number.
"""

import re
from dataclasses import dataclass

_SHAPE = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_MAKERS = frozenset({"5YJ", "7SA", "7G2", "LRW", "XP7", "SFZ"})
_MODELS = {
    "S": "Model S",
    "3": "Model 3",
    "X": "Model X",
    "Y": "Model Y",
    "R": "Roadster",
    "C": "Cybertruck",
    "T": "Semi",
}
_YEARS = {letter: 2010 + n for n, letter in enumerate("ABCDEFGHJKLMNPRSTVWXY")}
_FIRST_ROADSTER_YEARS = {"8": 2008, "9": 2009}
_PLANTS = {
    "A": "Austin",
    "B": "Berlin",
    "C": "Shanghai",
    "F": "Fremont",
    "P": "Palo Alto",
}


@dataclass(frozen=True)
class VinFacts:
    """What a vehicle identification number says; None where it does not."""

    model: str | None = None
    year: int | None = None
    plant: str | None = None


def decode_vin(vin: str | None) -> VinFacts:
    """The model ("Model 3"), model year and plant of a Tesla, all None for any other text.

    Only the first Roadsters have a digit as their year (8 and 9 for 2008 and 2009).
    """
    letters = (vin or "").strip().upper()
    if not _SHAPE.fullmatch(letters) or letters[:3] not in _MAKERS:
        return VinFacts()
    model = _MODELS.get(letters[3])
    years = _YEARS | _FIRST_ROADSTER_YEARS if model == "Roadster" else _YEARS
    return VinFacts(model, years.get(letters[9]), _PLANTS.get(letters[10]))
