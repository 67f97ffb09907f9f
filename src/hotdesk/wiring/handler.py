"""``module:function`` becomes the function that serves jobs."""

import inspect
import sys
from importlib import import_module
from pathlib import Path

from hotdesk.errors import ConfigError
from hotdesk.runners.function import Handler

KEY = "worker.handler"


def load_handler(name: str) -> Handler:
    """Import the handler *name*, from the current folder too.

    Raises:
        ConfigError: It cannot be imported, or is no coroutine function.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        handler: object = import_module(module_name)
        for part in function_name.split("."):
            handler = getattr(handler, part)
    except (ImportError, SyntaxError, AttributeError) as error:
        raise ConfigError(KEY, f"{name} cannot be imported: {error}") from error
    if not inspect.iscoroutinefunction(handler):
        raise ConfigError(KEY, f"{name} is not written with async def")
    return handler
