"""The template of a stack: CloudFormation's, in one file, made of the ones beside this module.

What it cannot say itself is filled in here: the workflow, and whatever there is one of for
each name of a list. Nothing here calls anybody.
"""

import json
import re
from collections.abc import Mapping
from importlib.resources import files

from hotdesk.backends.aws.names import Names, digest
from hotdesk.desks import Desk
from hotdesk.errors import Rejected
from hotdesk.placement import PinnedDesk

# CloudFormation CreateChangeSet, TemplateBody: 51,200 bytes; beyond it a bucket has to hold it.
BODY_BYTES_MAX = 51_200
# A name of SSM that is also a variable's name.
_SECRET = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_PARAMETER = re.compile(r"^  (\w+):\n    Type: .*\n    Default: (.*)$", re.MULTILINE)
_ON_DEMAND = ":0"


def parameters() -> dict[str, str]:
    """The parameters, with their defaults."""
    return {name: default.strip('"') for name, default in _PARAMETER.findall(_read("template"))}


def render(given: Mapping[str, str], *, names: Names | None = None, is_packed: bool = False) -> str:
    """The template for these parameters; those that are not *given* have their defaults.

    With *names* the table and the bucket are called by them and not by expressions, as
    CloudFormation wants it to take up what a removed stack has left. What is for people
    only is left out of one that *is_packed*.

    Raises:
        Rejected: There is no such parameter, or its value cannot be understood.
    """
    known = parameters()
    if unknown := sorted(set(given) - set(known)):
        raise Rejected(
            f"the template has no parameter {unknown[0][:80]!r}; it has: {', '.join(known)}"
        )
    values = {**known, **given}
    text = _read("template")
    text = _with(text, "dedicated", "".join(map(_dedicated, desks_of(values["DedicatedDesks"]))))
    text = _with(text, "secrets", _secrets(values["Secrets"]))
    if names is not None:
        text = text.replace("!Sub ${AWS::StackName}-desks\n", f"{names.table}\n")
        bucket = "!Sub ${AWS::StackName}-${AWS::AccountId}-${AWS::Region}\n"
        text = text.replace(bucket, f"{names.bucket}\n")
    definition = files(__package__).joinpath("workflow.asl.json").read_text("utf-8")
    if is_packed:
        # Comments, empty lines, and what parameters and outputs mean.
        text = re.sub(r"^(?: *(?:#.*)?|    Description: .*)\n", "", text, flags=re.MULTILINE)
        definition = _packed(definition)
    # A string of JSON does not span lines, so that they can be indented as YAML wants it.
    lines = "".join(f"{' ' * 10}{line}\n" for line in definition.splitlines())
    return re.sub(r".*<<workflow>>.*\n", lambda _: lines, text)


def desks_of(value: str) -> list[PinnedDesk]:
    """Read ``amelia/scott,web/ana:0``; the end says that a worker is there on demand only.

    Raises:
        Rejected: It does not name desks.
    """
    found: dict[Desk, PinnedDesk] = {}
    for each in filter(None, (part.strip() for part in value.split(","))):
        desk = Desk.parse(each.removesuffix(_ON_DEMAND))
        found[desk] = PinnedDesk(desk=desk, is_always_on=not each.endswith(_ON_DEMAND))
    return list(found.values())


def value_of(desks: tuple[PinnedDesk, ...]) -> str:
    """Write what ``desks_of`` reads."""
    return ",".join(f"{each.desk}{'' if each.is_always_on else _ON_DEMAND}" for each in desks)


def service_of(stack: str, desk: Desk) -> str:
    """What the service of a dedicated desk is called."""
    return f"{stack}-desk-{digest(desk.key)}"


def _read(name: str) -> str:
    return files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")


def _with(text: str, place: str, block: str) -> str:
    """Put *block* into the lines that name the place."""
    return re.sub(rf" *# <<{place}>>\n", lambda _: block, text)


def _dedicated(pinned: PinnedDesk) -> str:
    always, on_demand = re.split(r" *# <<from zero>>\n", _read("dedicated"))
    text = always if pinned.is_always_on else always + on_demand
    count = "1" if pinned.is_always_on else "0"
    filled = text.replace("<<id>>", digest(pinned.desk.key)).replace("<<desk>>", str(pinned.desk))
    return filled.replace("<<count>>", count).rstrip() + "\n\n"


def _secrets(value: str) -> str:
    names = list(dict.fromkeys(filter(None, (part.strip() for part in value.split(",")))))
    if wrong := [name for name in names if not _SECRET.fullmatch(name)]:
        raise Rejected(f"Secrets: {wrong[0][:80]!r} is not the name of a variable, as MAIL_KEY is")
    if not names:
        return ""
    arn = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}"
    lines = [f'{" " * 12}- {{Name: {name}, ValueFrom: !Sub "{arn}/{name}"}}\n' for name in names]
    return f"{' ' * 10}Secrets:\n{''.join(lines)}"


def _packed(definition: str) -> str:
    """The workflow on one line, without its comments. A ``${Number}`` is no JSON by itself."""
    whole = json.loads(re.sub(r": (\$\{\w+\})", r': "<\1>"', definition))
    for each in (whole, *whole["States"].values()):
        each.pop("Comment", None)
    return re.sub(r'"<(\$\{\w+\})>"', r"\1", json.dumps(whole, separators=(",", ":")))
