"""The kinds of values that settings have, each with its check.

A check that finds a mistake says what to write instead. The kind ``hidden`` keeps the
value itself out of the report, because it is or may hold a secret.
"""

import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from hotdesk.backends.address import checked_url
from hotdesk.config.secret import SecretRef
from hotdesk.desks import Desk, checked_name
from hotdesk.errors import ConfigError, Rejected
from hotdesk.mail.mailbox import canonical_domain

T = TypeVar("T")

AUTHOR = re.compile(r"\s*(?P<name>[^<>]*[^<>\s])\s*<(?P<email>[^<>\s]+)>\s*")
DAY = 86_400  # Seconds.
WEEK = 7 * DAY
PORT_MAX = 2**16 - 1
PREVIEW_FIELDS = ("branch", "project", "thread", "user")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_SECRETIVE = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@", re.IGNORECASE)


def wrong(problem: str, *, is_hidden: bool = False) -> PydanticCustomError:
    """Make the error that names *problem*."""
    kind = "hidden" if is_hidden else "wrong"
    return PydanticCustomError(kind, "{problem}", {"problem": problem})


def understood(check: Callable[[Any], T]) -> Callable[[Any], T]:
    """Make *check*, which raises ``Rejected``, one that pydantic understands."""

    def call(value: object) -> T:
        try:
            return check(value)
        except ConfigError as error:
            raise wrong(f"{error.problem}; {error.hint}", is_hidden=True) from None
        except Rejected as error:
            # Its message names the culprit already.
            raise wrong(str(error), is_hidden=True) from None

    return call


def _secret(value: object) -> object:
    if isinstance(value, SecretRef) or (isinstance(value, str) and _REFERENCE.fullmatch(value)):
        return SecretRef(str(value))
    raise wrong("a secret must not stand here; write env:NAME or file:/path", is_hidden=True)


def _text_or_secret(value: object) -> object:
    if isinstance(value, str):
        return _secret(value) if _REFERENCE.fullmatch(value) else value
    if isinstance(value, SecretRef):
        return value
    # It may be a secret, as a number that stands without quotes.
    raise wrong("should be a text", is_hidden=True)


def _number(value: object) -> object:
    # Python's True is 1, a person's is not.
    if isinstance(value, bool):
        raise wrong("should be a number")
    return value


def _desk(value: object) -> object:
    return Desk.parse(value) if isinstance(value, str) else value


def _function(value: str) -> str:
    module, _, function = value.partition(":")
    if all(map(str.isidentifier, [*module.split("."), *function.split(".")])):
        return value
    raise wrong("should be module:function")


def _domain(value: str) -> str:
    if domain := canonical_domain(value):
        return domain
    raise wrong("is not a domain")


def _folder(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError:
        raise wrong("there is no such home") from None


def _endpoint(value: str) -> str:
    host, _, port = value.rpartition(":")
    if host and port.isascii() and port.isdigit() and int(port[:6]) <= PORT_MAX:
        return value
    raise wrong("should be host:port, as 127.0.0.1:2525 is")


def _repo(value: str) -> str:
    if _WITH_PASSWORD.match(value):
        raise wrong(
            'a secret must not stand here; set token = "env:NAME" beside it', is_hidden=True
        )
    if value.startswith("-") or not value.isprintable():
        raise wrong("is not the address of a repository", is_hidden=True)
    return value


def _author(value: str) -> str:
    if AUTHOR.fullmatch(value) and value.isprintable():
        return value
    raise wrong('should be "Name <address>"')


def _preview(value: str) -> str:
    try:
        fields = {
            f"{field}:{how}" if how or conversion else field
            for _, field, how, conversion in string.Formatter().parse(value)
            if field is not None
        }
    except ValueError:
        fields = {""}
    if unknown := sorted(fields - set(PREVIEW_FIELDS)):
        names = ", ".join(f"{{{name}}}" for name in PREVIEW_FIELDS)
        raise wrong(f"{{{unknown[0]}}} is none of {names}")
    if not value.startswith(("http://", "https://")):
        raise wrong("should start with https:// or http://")
    return value


def _variables(value: dict[str, SecretRef | str]) -> dict[str, SecretRef | str]:
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name):
            raise wrong(f"{name[:60]!r} is not the name of a variable", is_hidden=True)
        if _SECRETIVE.search(name) and not isinstance(text, SecretRef):
            raise wrong(f"{name} looks like a secret; write env:NAME or file:/path", is_hidden=True)
    return value


def _named(value: dict[str, T]) -> dict[str, T]:
    for name in value:
        checked_name("project", name)
    return value


Whole = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number)]
Secret = Annotated[SecretRef, BeforeValidator(_secret)]
Variables = Annotated[
    dict[str, Annotated[SecretRef | str, BeforeValidator(_text_or_secret)]],
    AfterValidator(_variables),
]
DeskName = Annotated[Desk, BeforeValidator(understood(_desk))]
BackendUrl = Annotated[str, AfterValidator(understood(checked_url))]
Folder = Annotated[Path, AfterValidator(_folder)]
Function = Annotated[str, AfterValidator(_function)]
Domain = Annotated[str, AfterValidator(_domain)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Repo = Annotated[str, AfterValidator(_repo)]
Author = Annotated[str, AfterValidator(_author)]
Preview = Annotated[str, AfterValidator(_preview)]
ByProject = Annotated[dict[str, T], AfterValidator(understood(_named))]
