"""Vehicle identification numbers with a right check digit (ISO 3779, 49 CFR 565)."""

_VALUES = dict(zip("ABCDEFGH", range(1, 9), strict=True))
_VALUES |= {"J": 1, "K": 2, "L": 3, "M": 4, "N": 5, "P": 7, "R": 9}
_VALUES |= dict(zip("STUVWXYZ", range(2, 10), strict=True))
_VALUES |= {str(digit): digit for digit in range(10)}
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_MAKERS = {"US": ("5YJ", "F"), "DE": ("XP7", "B"), "AU": ("LRW", "C")}


def check_digit(vin: str) -> str:
    """The ninth character that belongs to a VIN; its own ninth character is not looked at."""
    total = sum(_VALUES[letter] * weight for letter, weight in zip(vin, _WEIGHTS, strict=True))
    return "X" if total % 11 == 10 else str(total % 11)


def make_vin(model_letter: str, country: str, serial: int) -> str:
    """A VIN of a 2023 dual-motor car for a market.

    Args:
        model_letter: 3, S, X or Y.
        country: US, DE or AU; decides maker and plant.
        serial: production number, up to six digits.
    """
    maker, plant = _MAKERS[country]
    body = "E" if model_letter in "3S" else "G"
    vin = f"{maker}{model_letter}{body}1EB0P{plant}{serial:06d}"
    return vin[:8] + check_digit(vin) + vin[9:]
