"""The embedded backend: one file, many processes, no server."""

from hotdesk.backends.sqlite.backend import SqliteBackend

__all__ = ["SqliteBackend"]
