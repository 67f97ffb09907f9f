from tests.runners.programs import closed, place
from tests.workspaces.conftest import confirm, open_workspace, origin, workspaces

__all__ = ["closed", "confirm", "open_workspace", "origin", "place", "workspaces"]
