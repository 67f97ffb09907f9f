"""What the projects say of their mail becomes the rules of the mailroom."""

from hotdesk.config import Config, ProjectConfig
from hotdesk.intakes.decision import MailLimits, MailRules

MICRO = 1_000_000  # Costs are counted in millionths of a dollar.


def rules_of(config: Config) -> dict[str, MailRules]:
    """The rules of each project, by its name."""
    return {name: _rules(project) for name, project in config.projects.items()}


def _rules(project: ProjectConfig) -> MailRules:
    limits = project.limits
    return MailRules(
        senders=project.senders,
        is_unproven_held=project.unproven == "hold",
        limits=MailLimits(
            jobs_per_hour=limits.jobs_per_hour,
            sender_jobs_per_hour=limits.sender_jobs_per_hour,
            micro_usd_per_day=_micro(limits.usd_per_day),
            sender_micro_usd_per_day=_micro(limits.sender_usd_per_day),
        ),
    )


def _micro(usd: float | None) -> int | None:
    return None if usd is None else round(usd * MICRO)
