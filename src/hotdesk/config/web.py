"""``[web]``: where the HTTP API and the dashboard are, and who may use them."""

from datetime import date
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hotdesk.config import values
from hotdesk.config.section import Section
from hotdesk.config.values import understood, wrong
from hotdesk.desks import checked_name


def _named(value: dict[str, "TokenConfig"]) -> dict[str, "TokenConfig"]:
    for name in value:
        checked_name("token", name)
    return value


class TokenConfig(Section):
    """One token; its name stands in the events of what is done with it."""

    secret: values.Secret = Field(
        description="Where the token is, 16 bytes or more.", examples=["env:DEPLOY_TOKEN"]
    )
    role: Literal["viewer", "operator"] = Field(
        "viewer", description="A viewer looks, an operator acts as well."
    )
    expires_on: date | None = Field(
        None, description="The last day on which it is taken, in UTC.", examples=["2027-12-31"]
    )


class WebConfig(Section):
    """The HTTP API and the dashboard, which `hotdesk up` serves."""

    enabled: bool = Field(default=True, description="Whether they are served.")
    listen: values.Endpoint = Field(
        "127.0.0.1:8420",
        description="Where; port 0 takes a free one. Another machine needs a token or password.",
    )
    hosts: tuple[str, ...] = Field(
        (),
        description="Names, beside localhost, by which browsers and proxies may call it.",
        examples=[["hotdesk.example.org"]],
    )
    password: values.Secret | None = Field(
        None,
        description="Where the hash is of the password with which people log in as operators; "
        "`hotdesk dashboard --hash-password` makes it.",
        examples=["env:HOTDESK_PASSWORD_HASH"],
    )
    https: bool = Field(
        default=False,
        description="Whether browsers come by a proxy that speaks TLS, and only so.",
    )
    tokens: Annotated[dict[str, TokenConfig], AfterValidator(understood(_named))] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if self.enabled and not is_loopback(self.host) and not (self.tokens or self.password):
            raise wrong(
                f"listen is {self.listen}, which other machines reach, and there is no token and "
                "no password; describe a token under [web.tokens.NAME], or listen on 127.0.0.1",
                is_hidden=True,
            )
        return self

    @property
    def host(self) -> str:
        """The part of ``listen`` before the port."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The part of ``listen`` behind the colon."""
        return int(self.listen.rpartition(":")[2])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
