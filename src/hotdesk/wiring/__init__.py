"""The only place where ports meet adapters: settings become a backend, workers, a deployment."""

from hotdesk.wiring.connection import Connection, client_of, connect, open_backend

__all__ = ["Connection", "client_of", "connect", "open_backend"]
