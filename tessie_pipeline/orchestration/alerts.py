"""Alerts: a sensor that opens and resolves them, and a job that posts them to a webhook.

The webhook's address is as secret as a password: it shows in no log, error or metadata.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._utils.schedules import cron_string_iterator

from tessie_pipeline.domain.alerts import Spend, wanted_alerts
from tessie_pipeline.orchestration.jobs import RUNNING, logging_from
from tessie_pipeline.orchestration.money import money
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.orchestration.webhook import (
    Webhook,
    WebhookRefusedError,
    WebhookUnavailableError,
)
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.alert_facts import read_facts
from tessie_pipeline.store.alerts import (
    OpenAlert,
    mark_posted,
    reconcile,
    unposted_alerts,
)
from tessie_pipeline.store.database import Database

POST_ALERTS = "post_alerts"
LOOK_EVERY_S = 60

POST_AGAIN_AFTER = timedelta(minutes=15)
"""How long a webhook that did not take alerts is left alone."""

MAX_RETRIES = 3
FIRST_WAIT_S = 5.0

_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
_WEEK = timedelta(days=8)
"""A week with its end, so that the step from one week into the next is in it."""


def alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """Opens and resolves alerts; requests a run of `POST_ALERTS` when some are to be posted."""
    poll_interval = longest_interval(settings.poll_cron)

    @dg.sensor(
        job_name=POST_ALERTS,
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts_sensor(
        context: dg.SensorEvaluationContext,
        database: dg.ResourceParam[Database],
        clock: dg.ResourceParam[Clock],
    ) -> dg.RunRequest | dg.SkipReason:
        """Budget, login, what Tesla refuses, and data that do not come, as rows of `alerts`."""
        now = clock()
        with database.rows() as connection:
            account = money(connection, settings, now)
            month = account.month
            spend = Spend(month.spent_usd, month.forecast_usd, settings.budget_usd)
            listing = max(poll_interval, account.pace.listing)
            facts = read_facts(connection, now, spend, listing, settings.backups)
            changes = reconcile(connection, wanted_alerts(facts, now), now)
            unposted = unposted_alerts(connection)
        found = f"Alerts: {changes.opened} new, {changes.lasted} old, {changes.resolved} resolved"
        if not unposted:
            return dg.SkipReason(f"{found}.")
        if settings.alert_webhook is None:
            return dg.SkipReason(f"{found}; TESSIE_ALERT_WEBHOOK is not set, nothing is posted.")
        if _was_tried(context.instance, since=datetime.now(UTC) - POST_AGAIN_AFTER):
            return dg.SkipReason(f"{found}; posting is under way or failed a moment ago.")
        return dg.RunRequest()

    return alerts_sensor


def post_alerts_job(log_level: str) -> dg.JobDefinition:
    """The job `POST_ALERTS`; its runs log to the console from `log_level` on."""

    @dg.job(
        name=POST_ALERTS,
        executor_def=dg.in_process_executor,
        config=logging_from(log_level),
        description="Posts the alerts that the webhook has not taken yet.",
    )
    def post_alerts_job() -> None:
        post_to_webhook()

    return post_alerts_job


@dg.op(required_resource_keys={"database", "clock", "alert_webhook"})
def post_to_webhook(context: dg.OpExecutionContext) -> None:
    """Post all at once, then note that it was done; a run killed between posts them again."""
    database: Database = context.resources.database
    webhook: Webhook | None = context.resources.alert_webhook
    if webhook is None:
        raise dg.Failure("TESSIE_ALERT_WEBHOOK is not set", allow_retries=False)
    with database.rows() as connection:
        unposted = unposted_alerts(connection)
    if unposted:
        try:
            webhook.post(_message(unposted))
        except WebhookUnavailableError as error:
            if context.retry_number < MAX_RETRIES:
                wait_s = FIRST_WAIT_S * 2**context.retry_number
                raise dg.RetryRequested(MAX_RETRIES, wait_s) from None
            raise dg.Failure(str(error), allow_retries=False) from None
        except WebhookRefusedError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        with database.rows() as connection:
            mark_posted(connection, [alert.id for alert in unposted], context.resources.clock())
    context.add_output_metadata({"posted": len(unposted)})


@dg.resource(description="Where alerts are posted, from TESSIE_ALERT_WEBHOOK.")
def alert_webhook_resource(_: dg.InitResourceContext) -> Webhook | None:
    """The webhook of the settings; None if there is none."""
    address = Settings.load().alert_webhook
    return None if address is None else Webhook(address)


def longest_interval(cron: str) -> timedelta:
    """The longest time between two ticks (UTC) within a week, or between the first two."""
    ticks = _ticks(cron)
    before, longest = next(ticks), timedelta(0)
    for tick in ticks:
        longest = max(longest, tick - before)
        before = tick
        if tick > _MONDAY + _WEEK:
            break
    return longest


def _ticks(cron: str) -> Iterator[datetime]:
    return cron_string_iterator(_MONDAY.timestamp(), cron, "UTC")


def _was_tried(instance: dg.DagsterInstance, since: datetime) -> bool:
    unfinished_or_failed = [dg.DagsterRunStatus.QUEUED, *RUNNING, dg.DagsterRunStatus.FAILURE]
    tries = dg.RunsFilter(job_name=POST_ALERTS, statuses=unfinished_or_failed, created_after=since)
    return instance.get_runs_count(tries) > 0


def _message(alerts: Sequence[OpenAlert]) -> dict[str, object]:
    """What is posted: `text` for people, as Slack and Mattermost show it, and `alerts` in full."""
    return {
        "text": "\n".join(f"{alert.severity.upper()}: {alert.message}" for alert in alerts),
        "alerts": [
            {
                "id": str(alert.id),
                "severity": alert.severity,
                "category": alert.category,
                "code": alert.code,
                "subject": alert.subject,
                "message": alert.message,
                "context": dict(alert.context),
                "opened_at": alert.opened_at.isoformat(),
            }
            for alert in alerts
        ],
    }
