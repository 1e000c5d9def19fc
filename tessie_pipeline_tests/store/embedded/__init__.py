"""The embedded Postgres, tried with real servers, real programs and real kills."""
