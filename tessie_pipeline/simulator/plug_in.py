"""A car on a cable: pieces of constant power, and what they add up to.

Which plug-ins there are is in `charging.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from tessie_pipeline.simulator.roads import Place

AC_EFFICIENCY = 0.92
DC_EFFICIENCY = 0.96


@dataclass(frozen=True)
class Piece:
    """Constant power at the plug [W] over half-open unix seconds."""

    start_s: int
    end_s: int
    power_w: float

    @property
    def energy_wh(self) -> float:
        """Energy drawn at the plug [Wh]."""
        return self.power_w * (self.end_s - self.start_s) / 3600


Segment = tuple[Piece, ...]


@dataclass(frozen=True)
class PlugIn:
    """A car on a cable from `start_s` to `end_s`; `segments` are its uninterrupted charges.

    `preheating` is drawn at the plug for the cabin and does not reach the battery. From
    `without_power[0]` to `without_power[1]` the charger has no power.
    """

    start_s: int
    end_s: int
    place: Place
    efficiency: float
    stored_start_wh: float
    segments: tuple[Segment, ...]
    is_complete: bool
    preheating: Segment = ()
    without_power: tuple[int, int] | None = None

    def used_wh(self, at_s: float) -> float:
        """Energy drawn at the plug for charging [Wh] until an instant."""
        return sum(
            piece.power_w * (min(at_s, piece.end_s) - piece.start_s) / 3600
            for segment in self.segments
            for piece in segment
            if piece.start_s < at_s
        )

    def added_wh(self, at_s: float) -> float:
        """Energy put into the car's battery [Wh] until an instant."""
        return self.used_wh(at_s) * self.efficiency

    def piece_at(self, at_s: float) -> Piece | None:
        """The piece of charging at an instant, or None between and after segments."""
        for segment in self.segments:
            if segment[0].start_s <= at_s < segment[-1].end_s:
                return _at(segment, at_s)
        return None

    def preheating_at(self, at_s: float) -> Piece | None:
        """The piece of preheating at an instant, or None."""
        return _at(self.preheating, at_s)

    def has_power(self, at_s: float) -> bool:
        """Whether the charger has power at an instant."""
        return self.without_power is None or not (
            self.without_power[0] <= at_s < self.without_power[1]
        )

    @property
    def drawn(self) -> Iterator[Piece]:
        """All pieces in which the plug gives power, for whatever."""
        return chain(*self.segments, self.preheating)

    @property
    def charge_start_s(self) -> int | None:
        """Start of the first segment [unix s]."""
        return self.segments[0][0].start_s if self.segments else None

    @property
    def charge_end_s(self) -> int | None:
        """End of the last segment [unix s]."""
        return self.segments[-1][-1].end_s if self.segments else None


def pieces(start_s: int, piece_s: int, powers_w: Iterable[float]) -> Segment:
    """Pieces one after the other, neighbours of equal power joined."""
    found: list[Piece] = []
    for index, power_w in enumerate(powers_w):
        at_s = start_s + index * piece_s
        if found and found[-1].power_w == power_w:
            found[-1] = Piece(found[-1].start_s, at_s + piece_s, power_w)
        else:
            found.append(Piece(at_s, at_s + piece_s, power_w))
    return tuple(found)


def energy_wh(segments: Iterable[Segment]) -> float:
    """Energy drawn at the plug in segments [Wh]."""
    return sum(piece.energy_wh for segment in segments for piece in segment)


def _at(segment: Segment, at_s: float) -> Piece | None:
    return next((piece for piece in segment if piece.start_s <= at_s < piece.end_s), None)
