"""What went where in an interval: the flows of `FLOWS_WH` from the totals of `TOTALS_WH` alone.

Tesla's priority on an interval's totals (`fleet_api.md` section 4.4): solar serves the home, then
the battery, then the grid; the battery and the grid serve the home with what they have left. All
energies are in Wh and >= 0; powers in W split alike. Not here: how totals are measured.
"""

import polars as pl

from tessie_pipeline.domain.samples import FLOWS_WH, TOTALS_WH

EXCHANGES_WH = ("grid_to_battery_wh", "battery_to_grid_wh")
"""What passed between battery and grid. Where it is measured, the other flows follow from it."""

_NEEDED = tuple(name for name in TOTALS_WH if name != "generator_wh")
_MADE = ("made", "made_to_home", "made_to_battery", "made_to_grid")
"""What sun and generator give together, and to whom."""


def split_flows(totals: pl.DataFrame, *, has_exchanges: bool = False) -> pl.DataFrame:
    """The frame with the flows of `FLOWS_WH` and `residual_wh`, which say where the totals went.

    No flow is negative, no source gives more than its total and no use takes more than its own.
    Where the totals balance, each source's flows sum to it and each use's to it. Where they do
    not, what one side has over stays unassigned, and the home, which Tesla computes and does not
    meter, is the first to go short. Unassigned too is what only the battery could have given to
    itself, or the grid to itself.

    Where charge and import, or discharge and export, share an interval, the totals do not tell
    what passed between battery and grid: it is as much as can be, which leaves most of the solar
    energy to the home. Samples do tell it.

    A site that says nothing of a generator has none, and its generator's flows are null; all
    flows are null where any other total is.

    Args:
        totals: `TOTALS_WH` and any others.
        has_exchanges: whether `totals` has `EXCHANGES_WH`, measured as power changed.
    """
    found = totals.lazy()
    for step in _steps(has_exchanges=has_exchanges):
        found = found.with_columns(**step)
    is_known = pl.all_horizontal(pl.col(name).is_not_null() for name in _NEEDED)
    told = (*FLOWS_WH, "residual_wh")
    flows = pl.when(is_known).then(pl.col(told)).name.keep()
    return found.select(pl.exclude(*_MADE, *told), flows).collect()


def coverage_of_flows() -> pl.Expr:
    """`coverage`, but 0 where no flow is known: what is measured of such time is too little."""
    return pl.when(is_split()).then("coverage").otherwise(0.0).alias("coverage")


def is_split() -> pl.Expr:
    """Whether any flow is known."""
    return pl.any_horizontal(pl.col(*FLOWS_WH).is_not_null())


def home_by_balance() -> pl.Expr:
    """What is left for the home [Wh], not less than 0, null where another total is unknown."""
    others = pl.col("battery_charged_wh") + pl.col("grid_exported_wh")
    return (energy_in() - others).clip(0)


def energy_in() -> pl.Expr:
    """Solar + generator + battery out + grid in [Wh]."""
    metered = pl.col("solar_wh") + pl.col("battery_discharged_wh") + pl.col("grid_imported_wh")
    return metered + pl.col("generator_wh").fill_null(0)


def energy_out() -> pl.Expr:
    """Home + battery in + grid out [Wh]."""
    return pl.col("home_wh") + pl.col("battery_charged_wh") + pl.col("grid_exported_wh")


def _steps(*, has_exchanges: bool) -> tuple[dict[str, pl.Expr], ...]:
    """Steps of the split, each from those before it, which spares finding what they share."""
    solar, generator, discharged, charged, imported, exported, home = map(pl.col, TOTALS_WH)
    made, made_to_home, made_to_battery, made_to_grid = map(pl.col, _MADE)
    flow = {name: pl.col(name) for name in FLOWS_WH}
    exchanges = {
        "grid_to_battery_wh": pl.min_horizontal(imported, charged),
        "battery_to_grid_wh": pl.min_horizontal(discharged, exported),
    }
    if has_exchanges:
        exchanges = {
            name: pl.min_horizontal(pl.col(name), most) for name, most in exchanges.items()
        }
    has_generator = pl.when(generator.is_not_null())
    return (
        {**exchanges, "made": solar + generator.fill_null(0)},
        # What is made charges and feeds what the exchanges did not; by the balance,
        # min(made, home) is left for the home wherever battery and grid kept to one direction.
        {"made_to_battery": pl.min_horizontal(made, charged - flow["grid_to_battery_wh"])},
        {
            "made_to_grid": pl.min_horizontal(
                made - made_to_battery, exported - flow["battery_to_grid_wh"]
            )
        },
        {"made_to_home": pl.min_horizontal(made - made_to_battery - made_to_grid, home)},
        {
            "solar_to_home_wh": pl.min_horizontal(solar, made_to_home),
            "battery_to_home_wh": pl.min_horizontal(
                discharged - flow["battery_to_grid_wh"], home - made_to_home
            ),
        },
        {
            "solar_to_battery_wh": pl.min_horizontal(
                solar - flow["solar_to_home_wh"], made_to_battery
            ),
            "grid_to_home_wh": pl.min_horizontal(
                imported - flow["grid_to_battery_wh"],
                home - made_to_home - flow["battery_to_home_wh"],
            ),
        },
        {
            "solar_to_grid_wh": pl.min_horizontal(
                solar - flow["solar_to_home_wh"] - flow["solar_to_battery_wh"], made_to_grid
            )
        },
        {
            "generator_to_home_wh": has_generator.then(made_to_home - flow["solar_to_home_wh"]),
            "generator_to_battery_wh": has_generator.then(
                made_to_battery - flow["solar_to_battery_wh"]
            ),
            "generator_to_grid_wh": has_generator.then(made_to_grid - flow["solar_to_grid_wh"]),
            "residual_wh": energy_in() - energy_out(),
        },
    )
