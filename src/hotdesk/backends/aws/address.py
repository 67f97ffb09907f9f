"""The URL that names a stack, and what it stands for."""

import re

from hotdesk.errors import ConfigError

SCHEME = "aws://"

# The longest name made of it, of a desk's queue, has 44 characters more; SQS allows 80.
_URL = re.compile(SCHEME + r"([a-z]{2}(?:-[a-z]+)+-[0-9])/([a-z][a-z0-9-]{0,31})")


def stack_of(url: str) -> tuple[str, str]:
    """The region and the stack behind ``aws://REGION/STACK``.

    Raises:
        ConfigError: It is not such a URL.
    """
    if found := _URL.fullmatch(url):
        region, stack = found.groups()
        return region, stack
    raise ConfigError(
        "backend",
        "is not the URL of a stack on AWS",
        "write aws://eu-west-1/hotdesk: the region, then the name of the stack, at most 32 "
        "small letters, digits and hyphens that start with a letter",
    )
