"""``hotdesk aws``: make, change and look at a stack on AWS."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Group as Screen
from rich.console import RenderableType
from rich.text import Text

from hotdesk.backends.aws.address import stack_of
from hotdesk.backends.aws.template import render, value_of
from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Group, pass_invocation
from hotdesk.cli.output import table
from hotdesk.config import Config, Loaded
from hotdesk.config.loading import USER_FILE
from hotdesk.desks import Json
from hotdesk.errors import ConfigError, Rejected
from hotdesk.wiring.extras import import_aws

if TYPE_CHECKING:
    # They import boto3, which may be missing.
    from hotdesk.backends.aws.calls import Calls
    from hotdesk.backends.aws.stack import Deployed, Stack, Step
    from hotdesk.backends.aws.standing import Standing

T = TypeVar("T")

_SCHEME = "aws://"
_MARK = {"hotdesk": "yes"}
_SET = click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Give a parameter of the template; repeat it for more.",
)
# What hotdesk.toml says already, as parameters.
_FROM_SETTINGS: Mapping[str, tuple[tuple[str, ...], Callable[[Config], str]]] = {
    "PoolMin": (("pool", "min_workers"), lambda config: str(config.pool.min_workers)),
    "PoolMax": (("pool", "max_workers"), lambda config: str(config.pool.max_workers)),
    "PoolIdleMinutes": (
        ("pool", "idle_seconds"),
        lambda config: str(max(1, round(config.pool.idle_seconds / 60))),
    ),
    "DedicatedDesks": (("pool", "pinned"), lambda config: value_of(config.pool.limits.pinned)),
    "RetentionDays": (
        ("limits", "retention_days"),
        lambda config: str(config.limits.retention_days),
    ),
    "MailDomain": (("mail", "domain"), lambda config: config.mail.domain if config.mail else ""),
}


@click.group(cls=Group)
def aws() -> None:
    """Make, change and look at a stack on AWS."""


@aws.command()
@_SET
@pass_invocation
def template(invocation: Invocation, *, given: tuple[str, ...]) -> None:
    """Print the CloudFormation template; nothing is called."""
    text = render(_from_settings(invocation.load()) | _pairs(given))
    if invocation.output.is_json:
        invocation.output.data({"template": text})
    else:
        invocation.output.raw(text)


@aws.command()
@_SET
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag every resource.")
@pass_invocation
def deploy(invocation: Invocation, *, given: tuple[str, ...], tags: tuple[str, ...]) -> None:
    """Make the stack that --backend names, or change it; hotdesk.toml goes with it.

    What was given with --set before stays. CloudFormation goes on when this is broken off.
    """
    loaded = invocation.load()
    wanted = _from_settings(loaded) | _pairs(given)
    settings = _settings(loaded, wanted)
    output = invocation.output

    def tell(step: "Step") -> None:
        record: dict[str, Json] = {
            "type": "step",
            "at": step.at.isoformat(),
            "resource": step.resource,
            "kind": step.kind,
            "status": step.status,
            "reason": step.reason,
        }
        line = f"{step.at:%H:%M:%S}  {step.status:<22}  {step.resource}"
        if output.is_json:
            output.data(record)
        else:
            output.note(f"{line}  {step.reason}".rstrip())

    async def work(_: "Calls", stack: "Stack") -> "Deployed":
        return await stack.deploy(wanted, tags=_MARK | _pairs(tags), settings=settings, tell=tell)

    done = _with_stack(invocation, loaded.config.backend, work)
    what = "is deployed" if done.is_changed else "needs no change"
    lines = [f"{loaded.config.backend} {what}"]
    if rule_set := done.outputs.get("RuleSet"):
        lines.append(
            "mail is taken once its rule set is the active one: "
            f"aws ses set-active-receipt-rule-set --rule-set-name {rule_set}"
        )
    output.result(
        {
            "type": "deployed",
            "backend": loaded.config.backend,
            "status": done.status,
            "changed": done.is_changed,
            "outputs": dict(done.outputs),
        },
        "\n".join(lines),
    )


@aws.command()
@pass_invocation
def status(invocation: Invocation) -> None:
    """Show what of the stack is there, who works, what waits, and what is wrong."""
    backend = invocation.load().config.backend

    async def work(calls: "Calls", stack: "Stack") -> "Standing":
        read = import_aws("standing").standing
        found: Standing = await read(calls, stack, now=invocation.now())
        return found

    found = _with_stack(invocation, backend, work)
    if invocation.output.is_json:
        invocation.output.data(_as_json(found))
    else:
        invocation.output.console().print(_screen(found))


def _with_stack(
    invocation: Invocation, backend: str, work: Callable[["Calls", "Stack"], Awaitable[T]]
) -> T:
    if not backend.startswith(_SCHEME):
        raise ConfigError(
            "backend",
            f"is {backend}, and no stack on AWS",
            "name one: --backend aws://eu-west-1/hotdesk",
        )
    region, name = stack_of(backend)
    calls_module, stack_module = import_aws("calls"), import_aws("stack")

    async def connected() -> T:
        with closing(calls_module.Calls(region)) as calls:
            return await work(calls, stack_module.Stack(calls, invocation.clock, name))

    return invocation.run(connected)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise Rejected(f"{each[:80]!r} is not of the form NAME=VALUE")
        found[name] = value
    return found


def _from_settings(loaded: Loaded) -> dict[str, str]:
    return {
        name: value_in(loaded.config)
        for name, (key, value_in) in _FROM_SETTINGS.items()
        if loaded.layers.is_set(key)
    }


def _settings(loaded: Loaded, wanted: Mapping[str, str]) -> bytes | None:
    """The file that workers and Lambdas are to read, if there is one."""
    own = Path.home() / USER_FILE
    files = [file for file in loaded.files if isinstance(file, Path) and file != own]
    has_work = loaded.config.projects or loaded.config.worker.handler
    if wanted.get("Image") and not (files and has_work):
        raise Rejected(
            "workers need a hotdesk.toml with projects, which goes into the stack; there is none "
            "here. Write one: hotdesk init"
        )
    return files[-1].read_bytes() if files else None


def _as_json(found: "Standing") -> dict[str, Json]:
    oldest = found.oldest_request
    return {
        "stack": found.stack,
        "status": found.status,
        "changed_at": found.changed_at.isoformat() if found.changed_at else None,
        "groups": [
            {"name": each.name, "count": each.count, "unready": list(each.unready)}
            for each in found.groups
        ],
        "services": [
            {
                "name": each.name,
                "running": each.running,
                "wanted": each.wanted,
                "starting": each.starting,
            }
            for each in found.services
        ],
        "queues": [
            {"name": each.name, "waiting": each.waiting, "received": each.received}
            for each in found.queues
        ],
        "oldest_request_seconds": None if oldest is None else oldest.total_seconds(),
        "alarms": [
            {"name": each.name, "state": each.state, "meaning": each.meaning}
            for each in found.alarms
        ],
        "problems": list(found.problems),
    }


def _screen(found: "Standing") -> RenderableType:
    oldest = found.oldest_request
    facts = [
        ["stack", found.stack],
        ["status", found.status],
        ["changed", f"{found.changed_at:%Y-%m-%d %H:%M:%S}" if found.changed_at else "-"],
        ["oldest claim request", "-" if oldest is None else f"{oldest.total_seconds():.0f} s"],
    ]
    groups = [[g.name, str(g.count), ", ".join(g.unready) or "ok"] for g in found.groups]
    services = [[s.name, str(s.running), str(s.wanted), str(s.starting)] for s in found.services]
    queues = [[q.name, str(q.waiting), str(q.received)] for q in found.queues]
    alarms = [[a.name, a.state, a.meaning] for a in found.alarms]
    parts: list[RenderableType] = [table(["", ""], facts)]
    for headings, rows in (
        (["GROUP", "RESOURCES", "STATE"], groups),
        (["WORKERS", "RUNNING", "WANTED", "STARTING"], services),
        (["QUEUE", "WAITING", "RECEIVED"], queues),
        (["ALARM", "STATE", "MEANS"], alarms),
        (["NOT READABLE"], [[each] for each in found.problems]),
    ):
        if rows:
            parts += [Text(), table(headings, rows)]
    return Screen(*parts)
