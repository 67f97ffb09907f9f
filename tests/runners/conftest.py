from tests.runners.attempts import confinement, passable
from tests.runners.programs import place
from tests.runners.site import data, site, upstream
from tests.runners.stage import (
    archive,
    confirm,
    folder,
    make_runner,
    origin,
    serve,
    store,
    workspaces,
)

__all__ = [
    "archive",
    "confinement",
    "confirm",
    "data",
    "folder",
    "make_runner",
    "origin",
    "passable",
    "place",
    "serve",
    "site",
    "store",
    "upstream",
    "workspaces",
]
