"""What an answer by mail says beyond its job, and the key of the addresses that it gives."""

from hotdesk.config import Config, MailConfig
from hotdesk.desks import Job
from hotdesk.errors import ConfigError
from hotdesk.mail.address import KEY_BYTES_MIN
from hotdesk.mail.answer import Presentation
from hotdesk.runners.progress import is_progress, spent
from hotdesk.workspaces import Workspaces


def presentation_of(config: Config, workspaces: Workspaces, job: Job) -> Presentation:
    """What the answer to a job shows as its project wants it."""
    project = config.projects.get(job.desk.project)
    if project is None:
        return Presentation()
    preview = "" if project.preview is None else _preview(project.preview, workspaces, job)
    return Presentation(
        preview=preview,
        branch=workspaces.branch(job.desk, job.thread),
        shows_cost=project.show_cost,
        spent_usd=spent(job),
        has_work=not is_progress(job.partial),
    )


def key_of(config: MailConfig) -> bytes:
    """The key that signs the addresses of threads.

    Raises:
        ConfigError: It is not there, or too short.
    """
    key = config.key.read().encode()
    if len(key) < KEY_BYTES_MIN:
        raise ConfigError(
            "mail.key", f"has fewer than {KEY_BYTES_MIN} bytes", "make one: openssl rand -hex 32"
        )
    return key


def _preview(link: str, workspaces: Workspaces, job: Job) -> str:
    # A label of a host name holds neither slashes nor dots.
    branch = workspaces.branch(job.desk, job.thread)
    return link.format(
        branch=branch.translate(str.maketrans("/._", "---")),
        project=job.desk.project,
        user=job.desk.user,
        thread=job.thread,
    )
