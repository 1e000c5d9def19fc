"""Which place a point lies in, and what kind of charger a session's place and answers tell of.

Distances are great circles on a sphere, good to 0.5 %. All of it is a function of stored rows, so
that an edited place re-labels history. Not here: how places are kept.
"""

import polars as pl

PLACES = pl.Schema(
    {
        "place_id": pl.String(),
        "name": pl.String(),
        "kind": pl.String(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "radius_m": pl.Float64(),
        "site_id": pl.String(),
        "tariff_name": pl.String(),
    }
)
"""One row per place: a circle around a point (WGS 84); `kind` is home, work or other.

`site_id` is the energy site there, `tariff_name` the tariff charged there, both null where none is.
"""

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius R1 of the WGS 84 ellipsoid."""

_AC_OF_TESLA = ["ACSingleWireCAN", "MCSingleWireCAN"]
_DC_OF_OTHERS = ["Combo", "CHAdeMO", "GB_DC"]


def distance_m(
    latitude: pl.Expr, longitude: pl.Expr, to_latitude: pl.Expr, to_longitude: pl.Expr
) -> pl.Expr:
    """The great-circle distance between points given in degrees [m]; the haversine formula."""
    phi, to_phi = latitude.radians(), to_latitude.radians()
    half_north = (to_phi - phi) / 2
    half_east = (to_longitude - longitude).radians() / 2
    haversine = half_north.sin().pow(2) + phi.cos() * to_phi.cos() * half_east.sin().pow(2)
    return 2 * EARTH_RADIUS_M * haversine.clip(0, 1).sqrt().arcsin()


def place_of(points: pl.DataFrame, places: pl.DataFrame) -> pl.Series:
    """The `place_id` of each point, in the points' order; null outside all places.

    Of several places that contain a point it is the nearest, then the smallest, then the first by
    name.

    Args:
        points: `latitude` and `longitude` in degrees, WGS 84, null where unknown.
        places: `PLACES`.
    """
    numbered = points.select("latitude", "longitude").with_row_index("point")
    circles = places.select(
        "place_id",
        "name",
        "radius_m",
        place_latitude="latitude",
        place_longitude="longitude",
        reach=(pl.col("radius_m") / EARTH_RADIUS_M).degrees(),
    ).with_columns(
        south=pl.col("place_latitude") - pl.col("reach"),
        north=pl.col("place_latitude") + pl.col("reach"),
    )
    away_m = distance_m(
        *(pl.col(name) for name in ("latitude", "longitude", "place_latitude", "place_longitude"))
    )
    found = (
        # Only places on a point's latitude can hold it; that spares most of points x places.
        numbered.join_where(
            circles, pl.col("latitude") >= pl.col("south"), pl.col("latitude") <= pl.col("north")
        )
        .with_columns(away_m=away_m)
        .filter(pl.col("away_m") <= pl.col("radius_m"))
        .sort("away_m", "radius_m", "name", "place_id")
        .unique("point", keep="first", maintain_order=True)
    )
    return numbered.join(found, on="point", how="left", maintain_order="left")["place_id"]


def charger_kind() -> pl.Expr:
    """What kind of charger a session was on: the values of `charging_sessions.charger_type`.

    The answer's own fields come first: DC of Tesla is a supercharger, DC of another make
    third_party. Whatever else is home in a place of that kind, and outside all places where a
    wall connector of one's own saw the car. Elsewhere it is a destination charger if it speaks
    Tesla's single-wire protocol, and other if not. Source: `fleet_api.md` section 8.

    Takes `fast_charger_type`, `fast_charger_brand`, `conn_charge_cable`, `is_dc`, `place_kind` (of
    `PLACES`, null outside them) and `connector_site_id`, whose connector saw the car, or null.
    """
    charger, brand = pl.col("fast_charger_type"), pl.col("fast_charger_brand")
    is_teslas_ac = charger.is_in(_AC_OF_TESLA).fill_null(False)
    speaks_dc = charger.is_in(_DC_OF_OTHERS) | (pl.col("conn_charge_cable") == "GB_DC")
    is_dc = ~is_teslas_ac & pl.coalesce("is_dc", speaks_dc | (charger == "Tesla"))
    place_kind, connector = pl.col("place_kind"), pl.col("connector_site_id")
    return (
        pl.when(is_dc & ((brand == "Tesla") | (charger == "Tesla")))
        .then(pl.lit("supercharger"))
        .when(is_dc)
        .then(pl.lit("third_party"))
        .when((place_kind == "home") | (place_kind.is_null() & connector.is_not_null()))
        .then(pl.lit("home"))
        .when(is_teslas_ac)
        .then(pl.lit("destination"))
        .otherwise(pl.lit("other"))
    )


def located(sessions: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Charging sessions with where they were, for stored sessions as well as new ones.

    Args:
        sessions: `latitude`, `longitude` and what `charger_kind` takes, but for `place_kind`;
            labels that they already have are replaced.
        places: `PLACES`.

    Returns:
        The sessions in order with `place_id`, `location_name` (the place's) and `place_kind`, null
        outside all places; `charger_type`; and `site_id`, the energy site that AC came from: the
        place's, else that of the wall connector.
    """
    known = places.select("place_id", "site_id", location_name="name", place_kind="kind")
    is_ac = pl.col("charger_type").is_in(["home", "destination", "other"])
    return (
        sessions.drop("site_id", "location_name", "place_kind", strict=False)
        .with_columns(place_id=place_of(sessions, places))
        .join(known, on="place_id", how="left", maintain_order="left")
        .with_columns(charger_type=charger_kind())
        .with_columns(site_id=pl.when(is_ac).then(pl.coalesce("site_id", "connector_site_id")))
    )
