"""The HTTP API, and what serves it."""
