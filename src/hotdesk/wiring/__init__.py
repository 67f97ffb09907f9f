"""The only place where ports meet adapters: settings become a backend, workers, a deployment."""

from hotdesk.wiring.connection import (
    Connection,
    client_of,
    connect,
    open_backend,
    open_database,
)

__all__ = ["Connection", "client_of", "connect", "open_backend", "open_database"]
