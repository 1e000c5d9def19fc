import pytest

from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.energy_answers import EnergySite
from tessie_pipeline.tesla.product_answers import Products, decode_products
from tessie_pipeline.tesla.vehicle_answers import Vehicle
from tessie_pipeline_tests.tesla.captured import captured

EXPECTED = {
    "vehicle_and_site_3_powerwalls_wall_connector": Products(
        vehicles=(
            Vehicle(
                tesla_id=123546,
                vin="1234",
                display_name="Carname",
                state="online",
                model="Model 3",
                year=None,
                color="MidnightSilver",
                trim="74d",
                in_service=False,
                access_type="OWNER",
            ),
        ),
        sites=(
            EnergySite(tesla_site_id=12345, site_name="address", total_battery_capacity_kwh=41.883),
        ),
        rejected=(),
        ignored=(),
    ),
    "vehicle_and_site_2024_01": Products(
        vehicles=(
            Vehicle(
                tesla_id=1,
                vin="LR",
                display_name="Kool Beans",
                state="online",
                model="Model 3",
                year=None,
                color="MidnightSilver",
                trim="74d",
                in_service=False,
                access_type="OWNER",
            ),
        ),
        sites=(
            EnergySite(
                tesla_site_id=247079748146, site_name=None, total_battery_capacity_kwh=41.671
            ),
        ),
        rejected=(),
        ignored=(),
    ),
    "asleep_vehicle_and_sites": Products(
        vehicles=(
            Vehicle(
                tesla_id=1234,
                vin="LRW3F7EK4NC700000",
                display_name="Test",
                state="asleep",
                model="Model 3",
                year=2022,
                color="DeepBlue",
                trim="74d",
                in_service=False,
                access_type="OWNER",
            ),
        ),
        sites=(
            EnergySite(
                tesla_site_id=123456, site_name="Energy Site", total_battery_capacity_kwh=40.804
            ),
        ),
        rejected=(),
        ignored=("energy site 98765, which has no parts",),
    ),
    "sites_only": Products(
        vehicles=(
            Vehicle(
                tesla_id=100021,
                vin="5YJ3000000NEXUS01",
                display_name="Owned",
                state=None,
                model="Model 3",
                year=None,
                color=None,
                trim=None,
                in_service=False,
                access_type="OWNER",
            ),
        ),
        sites=(
            EnergySite(
                tesla_site_id=429124, site_name="My Home", total_battery_capacity_kwh=39.362
            ),
        ),
        rejected=(),
        ignored=(),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_captured_list_decodes_to_what_a_person_reads_in_it(name: str) -> None:
    assert decode_products(captured(f"products/{name}")) == EXPECTED[name]


def test_a_bad_product_is_rejected_without_its_tokens_and_costs_no_other() -> None:
    answer = captured("products/vehicle_and_site_3_powerwalls_wall_connector")
    good = decode_products(answer)
    bad_car = answer["response"][0] | {"id_s": "seven", "tokens": ["secret"]}
    answer["response"][1:1] = [bad_car, {"energy_site_id": -1}, 5, {"vin": None, "vehicle_id": 3}]
    products = decode_products(answer)
    assert (products.vehicles, products.sites) == (good.vehicles, good.sites)
    assert [part.reason for part in products.rejected] == [
        "id_s is 'seven', expected a valid integer, unable to parse string as an integer",
        "energy_site_id is -1, expected greater than 0",
        "a product is not an object",
        "vin is missing",
    ]
    assert "secret" not in products.rejected[0].body
    assert products.rejected[1].body == '{"energy_site_id":-1}'


def test_what_cannot_even_be_written_is_rejected_too() -> None:
    products = decode_products([{"energy_site_id": 1, "energy_left": float("nan")}])
    assert products.sites == ()
    assert "JSON" in products.rejected[0].reason


def test_a_product_that_is_neither_car_nor_site_is_ignored() -> None:
    products = decode_products({"response": [{"id": 4, "device_type": "robot"}]})
    assert products.ignored == ("a product that is neither a car nor an energy site",)
    assert products.rejected == ()


def test_a_solar_site_has_no_battery_capacity() -> None:
    (site,) = decode_products(
        [{"energy_site_id": 12345, "resource_type": "solar", "total_pack_energy": 1}]
    ).sites
    assert site == EnergySite(tesla_site_id=12345)


@pytest.mark.parametrize(
    ("site", "is_kept"),
    [
        ({"components": {"battery": False, "wall_connectors": [{"din": "a"}]}}, True),
        ({"components": {"solar": True}}, True),
        ({"resource_type": "solar"}, True),
        ({"components": {"battery": False, "wall_connectors": []}}, False),
        ({"components": {}}, False),
        ({}, False),
    ],
)
def test_a_site_without_type_and_parts_is_a_ghost(site: dict[str, object], is_kept: bool) -> None:
    products = decode_products([{"energy_site_id": 9} | site])
    assert (len(products.sites), len(products.ignored)) == ((1, 0) if is_kept else (0, 1))


@pytest.mark.parametrize(
    "answer", [None, {}, {"response": {"vin": "x"}}, {"response": None, "error": "no"}, "text", 5]
)
def test_an_answer_that_is_no_list_is_refused(answer: object) -> None:
    with pytest.raises(UndecodableAnswer):
        decode_products(answer)
