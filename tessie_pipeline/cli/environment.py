"""What every command stands on: settings, a database that runs, and the environment of Dagster.

Without credentials of a Tesla application the pipeline talks to the simulator.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.settings import Settings
from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN
from tessie_pipeline.store import migrations
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.dagster_storage import dagster_url
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from tessie_pipeline.store.registries import known_sites
from tessie_pipeline.store.shared_files import exclusive, make_directory, write_file

PROJECT = Path(__file__).parents[2]
"""The directory with dagster.yaml and workspace.yaml, which is Dagster's home."""

SIMULATOR_CLIENT_ID = "simulator"


class CliError(Exception):
    """A command cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Environment:
    """The settings, and the database they lead to."""

    settings: Settings
    database: Database

    @property
    def is_simulated(self) -> bool:
        """Whether the simulator stands in for Tesla."""
        return self.settings.tesla_client_id in (None, SIMULATOR_CLIENT_ID)

    def variables(self, simulator_url: str | None = None) -> dict[str, str]:
        """The variables that Dagster's processes need, secrets among them."""
        home = self.settings.home.resolve()
        variables = {
            "TESSIE_HOME": str(home),
            "DATABASE_URL": self.database.url(),
            "DAGSTER_HOME": str(PROJECT),
            "TESSIE_DAGSTER_URL": dagster_url(self.database),
            "TESSIE_DAGSTER_DIR": str(home / "dagster"),
        }
        return variables | (_simulator_variables(simulator_url) if simulator_url else {})

    def tokens(self) -> SealedTokens:
        """The account's tokens, under the key of the settings; on first use one is made."""
        key = self.settings.encryption_key or _new_key(self.settings.home)
        return SealedTokens(self.database, key.get_secret_value())

    @property
    def server(self) -> str:
        """The Fleet API's server that is asked, of an account that is not the simulator's."""
        facts = self.tokens().facts()
        return self.settings.server(facts.fleet_api_url if facts else None)


@contextmanager
def environment() -> Iterator[Environment]:
    """The environment, with the database running for the block at least."""
    settings = Settings.load()
    with _database_url(settings) as url:
        database = Database(url)
        try:
            yield Environment(settings, database)
        finally:
            database.dispose()


def prepare(environment: Environment) -> None:
    """Bring the database to the newest schema, and the account to what the settings say.

    Raises:
        CliError: what is stored is of the other kind than the settings.
    """
    migrations.upgrade(environment.database)
    make_directory(environment.settings.home / "dagster")
    tokens = environment.tokens()
    is_simulated = tokens.is_simulated()
    if not environment.is_simulated:
        if is_simulated:
            raise CliError(
                "This database holds a simulated household: set TESSIE_HOME to another directory "
                "for the real one"
            )
        return
    if is_simulated is False:
        raise CliError(
            "This database holds a Tesla account: set TESLA_CLIENT_ID to go on with it, or "
            "TESSIE_HOME to another directory for a simulated one"
        )
    if is_simulated is None:
        _check_no_imports(environment.database)
        tokens.save(Tokens(INITIAL_REFRESH_TOKEN), is_simulated=True)


def _check_no_imports(database: Database) -> None:
    with database.rows() as connection:
        if any(site.tesla_site_id is None for site in known_sites(connection)):
            raise CliError(
                "This database holds imported days of a real home: set TESLA_CLIENT_ID to go on "
                "with them, or TESSIE_HOME to another directory for a simulated household"
            )


def embedded_postgres(settings: Settings) -> EmbeddedPostgres | None:
    """The embedded server, unless DATABASE_URL names another one."""
    postgres = EmbeddedPostgres(settings.home)
    if settings.database_url is None:
        return postgres
    with suppress(EmbeddedPostgresError):
        if settings.database_url.get_secret_value() == postgres.url:
            return postgres
    return None


@contextmanager
def _database_url(settings: Settings) -> Iterator[str]:
    postgres = embedded_postgres(settings)
    if postgres is None:
        yield settings.require("database_url")
        return
    with postgres.running() as url:
        yield url


def _simulator_variables(simulator_url: str) -> dict[str, str]:
    return {
        "TESLA_CLIENT_ID": SIMULATOR_CLIENT_ID,
        "TESSIE_FLEET_API_URL": simulator_url,
        "TESSIE_TOKEN_URL": f"{simulator_url}/oauth2/v3/token",
        "TESSIE_REQUESTS_PER_MINUTE": "0",
        "TESSIE_REQUESTS_PER_SECOND": "0",
    }


def _new_key(home: Path) -> SecretStr:
    """A new ENCRYPTION_KEY, added to `.env` in the project's home, which only its owner reads."""
    home.mkdir(parents=True, exist_ok=True)
    with exclusive(home / "env.lock"):
        made_meanwhile = Settings.load(TESSIE_HOME=home).encryption_key
        if made_meanwhile:
            return made_meanwhile
        key = secrets.token_hex(32)
        file = home / ".env"
        lines = file.read_text().splitlines() if file.exists() else []
        write_file(file, "\n".join([*lines, f"ENCRYPTION_KEY={key}", ""]), 0o600)
        return SecretStr(key)
