"""The policy that the solar part of charges follows, as a person chose it.

It stands in `private.user_config.settings`, and stays when somebody logs out or in. Not here: what
the policies are (`domain.attribution_policies`).
"""

import adbc_driver_postgresql.dbapi as adbc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.accounts import NoAccountError
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.tables import user_config

SETTING = "attribution_policy"

CHOSEN = sa.select(user_config.c.settings[SETTING].astext).limit(1).scalar_subquery()
"""The name of the policy, which may be none of ours; null if nobody has chosen one."""


def chosen_policy(connection: adbc.Connection) -> str | None:
    """What is stored, whether or not it names a policy; None if nobody has chosen one."""
    found = read_frame(connection, sa.select(CHOSEN.label("policy"))).item()
    return None if found is None else str(found)


def choose_policy(connection: sa.Connection, policy: str) -> None:
    """Let charges follow a policy from now on.

    Raises:
        NoAccountError: there is no account to keep it with.
    """
    choice = sa.func.jsonb_build_object(SETTING, policy, type_=pg.JSONB)
    settings = user_config.c.settings.concat(choice)
    if not connection.execute(sa.update(user_config).values(settings=settings)).rowcount:
        raise NoAccountError("No Tesla account is stored: log in first")
