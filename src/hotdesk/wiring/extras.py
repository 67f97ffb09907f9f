"""Modules that need an extra, imported when they are used and not before."""

from importlib import import_module
from typing import Any

from hotdesk.errors import ConfigError

_EXTRA = {"boto3", "botocore"}


def import_aws(name: str) -> Any:  # noqa: ANN401 - a module
    """Import a module of the AWS backend; boto3 takes longer than all of Hotdesk.

    Raises:
        ConfigError: boto3 is not installed.
    """
    try:
        return import_module(f"hotdesk.backends.aws.{name}")
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise ConfigError(
            "backend",
            "a stack on AWS needs boto3, which is not installed",
            "pip install 'hotdesk[aws]'",
        ) from None
