"""Pure logic and the record types: no Dagster, no network, no environment variables in here."""
