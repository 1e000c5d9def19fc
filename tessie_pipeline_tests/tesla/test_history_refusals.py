import polars as pl
import pytest

from tessie_pipeline.tesla.history import decode_energy_history
from tessie_pipeline_tests.tesla.captured import captured_text
from tessie_pipeline_tests.tesla.test_history import answers, energy_answer


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "the answer is empty"),
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        ("Retry in 5 seconds", "the answer is not JSON: "),
        ("[" * 5000, "the answer is not JSON: "),
        ('{"response": {"period": "day"', "the answer is not JSON: "),
        ("[1]", "the answer is a list, expected"),
        ("null", "time_series is missing"),
        ('{"response": null, "error": "upstream internal error"}', "time_series is missing"),
        ('{"response": []}', "response is a list, expected"),
        ('{"response": {"period": "day"}}', "time_series is missing"),
        ('{"period": "day", "time_series": {"a": 1}}', "time_series is an object, expected"),
        ('{"period": "day", "time_series": [null]}', "a timestamp is missing, expected"),
        ('{"period": "true", "time_series": []}', "the answer is no history"),
        (
            '{"time_series": [{"timestamp": "2024-06-01T00:00:00Z"}]}',
            "period is missing, expected day",
        ),
        (energy_answer("2024-06-01T00:02:00Z"), "a bucket starts at 2024-06-01T00:02:00Z, "),
        (energy_answer("2024-06-01T00:00:00.5Z"), "a bucket starts at 2024-06-01T00:00:00.5Z, "),
        (energy_answer("2024-06-01T00:00:00"), "a timestamp is 2024-06-01T00:00:00, expected"),
        (energy_answer("1999-06-01T00:00:00Z"), "a timestamp is 1999-06-01T00:00:00Z, expected"),
        (energy_answer("noon"), "a timestamp is noon, expected a time with an offset"),
        (energy_answer(""), "a timestamp is missing, expected"),
        (
            energy_answer("2024-06-01T00:00:00Z", grid_energy_imported="lots"),
            "response.time_series.0.grid_energy_imported is 'lots', expected",
        ),
        (
            energy_answer("2024-06-01T00:00:00Z", grid_energy_imported=True),
            "response.time_series.0.grid_energy_imported is True, expected a number",
        ),
        (
            energy_answer("2024-06-01T00:00:00Z", grid_energy_imported=1e300),
            "the bucket at 2024-06-01T00:00:00Z holds an impossible number",
        ),
        (
            energy_answer("2024-06-01T00:00:00Z", grid_energy_imported=float("nan")),
            "the answer is not JSON: ",
        ),
        (
            energy_answer("2021-01-27T01:00:00-08:00"),
            "the only bucket starts at 2021-01-27T01:00:00-08:00, as a whole day's total does",
        ),
        (
            energy_answer("2023-06-01T01:00:00-07:00", "2023-06-02T01:00:00-07:00"),
            "buckets are 1440 minutes apart, expected 5",
        ),
        (
            energy_answer(*(f"2024-06-01T{hour:02}:30:00Z" for hour in range(24))),
            "buckets are 60 minutes apart, expected 5",
        ),
    ],
)
def test_an_answer_that_is_no_five_minute_day_is_refused_and_costs_no_other(
    body: str | None, reason: str
) -> None:
    good = captured_text("calendar_history/energy_two_buckets")
    table = pl.concat([answers(good, site_id="x"), answers(body, site_id="bad"), answers(good)])
    frame, refused = decode_energy_history(table)
    assert frame["site_id"].to_list() == ["site", "site", "x", "x"]
    assert [(part.subject, part.body) for part in refused] == [("bad", body or "")]
    assert refused[0].reason.startswith(reason)
