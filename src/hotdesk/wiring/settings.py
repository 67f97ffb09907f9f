"""The settings of this process: its files, or what lies in the bucket of its stack.

A container of a stack has no file of its own; ``HOTDESK_CONFIG_S3`` says where the stack
keeps it.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import anyio

from hotdesk.backends.aws.address import stack_of
from hotdesk.config import Document, Loaded, load, names_file
from hotdesk.config.environment import variables
from hotdesk.errors import ConfigError
from hotdesk.wiring.extras import import_aws

PLACE_VARIABLE = "HOTDESK_CONFIG_S3"
_BACKEND_VARIABLE = "HOTDESK_BACKEND"
_PLACE = re.compile(r"s3://([^/]+)/(.+)")


def load_settings(file: Path | None, flags: Mapping[str, str]) -> Loaded:
    """Read the configuration as ``config.load`` does; call it outside of an event loop.

    Raises:
        ConfigError: Something is wrong with it, or it is not where it should be.
        StoreError: AWS is not set up on this machine.
        Unavailable: The bucket did not answer.
    """
    place = variables().get(PLACE_VARIABLE, "")
    if not place or names_file(file):
        return load(file, flags)
    # Its region is the stack's.
    backend = flags.get("backend") or variables().get(_BACKEND_VARIABLE, "")
    return load(file, flags, document=anyio.run(_fetch, place, stack_of(backend)[0]))


def object_at(place: str) -> dict[str, object]:
    """The object that ``s3://BUCKET/KEY`` names, as the calls of S3 do.

    Raises:
        ConfigError: It is not such an address.
    """
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ConfigError(
            PLACE_VARIABLE, "is not the address of an object", "write s3://BUCKET/KEY"
        )
    return {"Bucket": match[1], "Key": match[2]}


def missing(place: str) -> ConfigError:
    """Nothing lies at *place*."""
    return ConfigError(PLACE_VARIABLE, f"there is no {place}", f"aws s3 cp hotdesk.toml {place}")


async def _fetch(place: str, region: str) -> Document:
    calls_module = import_aws("calls")
    calls = calls_module.Calls(region)
    try:
        answer = await calls.call("s3", "get_object", object_at(place))
    except calls_module.Refused:
        raise missing(place) from None
    finally:
        calls.close()
    return Document(origin=place, content=answer["Body"])
