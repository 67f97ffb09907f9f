"""``hotdesk.toml`` and ``HOTDESK_*``: read once, checked as a whole, every value explained.

Nothing below ``wiring`` sees what is made here.
"""

from hotdesk.config.loading import Document, Loaded, load, names_file
from hotdesk.config.mistakes import ConfigMistakes
from hotdesk.config.project import ProjectConfig, ProjectLimits
from hotdesk.config.secret import SecretRef
from hotdesk.config.section import Section
from hotdesk.config.sections import (
    Config,
    ConfinementConfig,
    MailConfig,
    RelayConfig,
    settings,
)

__all__ = [
    "Config",
    "ConfigMistakes",
    "ConfinementConfig",
    "Document",
    "Loaded",
    "MailConfig",
    "ProjectConfig",
    "ProjectLimits",
    "RelayConfig",
    "SecretRef",
    "Section",
    "load",
    "names_file",
    "settings",
]
