"""``hotdesk dashboard``: a browser that is logged in."""

import os
import sys
import webbrowser
from pathlib import Path

import click
import httpx

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.errors import Rejected, Unavailable
from hotdesk.web.door import find_door
from hotdesk.web.passwords import PASSWORD_MIN, SALT_BYTES, Password

SECONDS_MAX = 5.0


@click.command(cls=Command)
@click.option("--print", "prints", is_flag=True, help="Print the address and open nothing.")
@click.option("--hash-password", is_flag=True, help="Make what [web] password refers to.")
@pass_invocation
def dashboard(invocation: Invocation, *, prints: bool, hash_password: bool) -> None:
    """Open the dashboard of a running hotdesk up.

    The address lets in one browser, once, within a minute.
    """
    output = invocation.output
    if hash_password:
        made = str(Password.of(_asked(), os.urandom(SALT_BYTES)))
        output.result({"password": made}, made)
        return
    config = invocation.load().config
    if not config.web.enabled:
        raise Rejected("web.enabled is false: hotdesk up serves no dashboard")
    url = invited(config.data_dir)
    if prints or output.is_json:
        output.result({"url": url}, url)
    elif webbrowser.open(url):
        output.note(f"opened {url.partition('/login')[0]}")
    else:
        output.note("there is no browser here; open this within a minute:")
        output.text(url)


def invited(folder: Path) -> str:
    """An address that lets one browser in to the ``hotdesk up`` that has its data in *folder*.

    Raises:
        Unavailable: It does not run, or its file may not be read.
    """
    door = find_door(folder)
    try:
        answer = httpx.post(
            f"{door.url}/invitations",
            headers={"Authorization": f"Bearer {door.token}"},
            timeout=SECONDS_MAX,
            trust_env=False,
        )
        invitation = answer.raise_for_status().json()["invitation"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        raise Unavailable(
            f"hotdesk up does not answer at {door.url}; if it was killed, start it again"
        ) from None
    return f"{door.url}/login#{invitation}"


def _asked() -> str:
    """A password that somebody types twice, or writes into the standard input.

    Raises:
        Rejected: It is too short.
    """
    if sys.stdin.isatty():
        password: str = click.prompt(
            "Password", hide_input=True, confirmation_prompt=True, err=True
        )
    else:
        password = sys.stdin.readline(10_000).rstrip("\r\n")
    if len(password) < PASSWORD_MIN:
        raise Rejected(f"a password has {PASSWORD_MIN} characters or more")
    return password
