from tests.runners.programs import place
from tests.workspaces.conftest import confirm, open_workspace, origin, workspaces

__all__ = ["confirm", "open_workspace", "origin", "place", "workspaces"]
