"""How fast Hotdesk is, measured beside bare SQLite in the same run: ``python -m benchmarks``."""
