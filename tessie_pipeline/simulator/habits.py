"""What some drivers do beyond commuting, errands, weekends away and charging at home.

Here: which habits there are. Each is played out where its subject is: charging at home, trips,
when the car can be reached, bills.
"""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Habits:
    """Habits of a car's driver; no car has any unless it was asked for.

    Attributes:
        charges_on_solar: Plugs in whenever at home and follows what the sun gives beyond the
            home's use; what is missing then comes in the last night.
        parks_underground: Works above a garage where the car has no signal, and charges there
            on some days.
        charger_trips: The breaker at home trips in some nights; somebody resets it, or not.
        preheats: The cabin is heated or cooled from the wall before leaving home in the morning.
        overstays: Pays for the minutes in which a charged car stands at a Supercharger.
    """

    charges_on_solar: bool = False
    parks_underground: bool = False
    charger_trips: bool = False
    preheats: bool = False
    overstays: bool = False

    @property
    def names(self) -> list[str]:
        """The habits there are, by name."""
        return [name for name, is_one in asdict(self).items() if is_one]


NO_HABITS = Habits()
EVERY_HABIT = Habits(
    charges_on_solar=True,
    parks_underground=True,
    charger_trips=True,
    preheats=True,
    overstays=True,
)
