"""Where a secret is. The configuration names that place; the secret is read when it is needed."""

from dataclasses import dataclass
from pathlib import Path

from hotdesk.config.environment import variables
from hotdesk.errors import ConfigError

SECRET_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class SecretRef:
    """``env:NAME`` or ``file:/path``. What it leads to is never shown."""

    where: str

    def __str__(self) -> str:
        return self.where

    def read(self) -> str:
        """Return the secret, without the line end of its file.

        Raises:
            ConfigError: It is not there, or empty.
        """
        kind, _, name = self.where.partition(":")
        try:
            secret = variables().get(name, "") if kind == "env" else _read(Path(name))
        except OSError as error:
            raise ConfigError(self.where, f"cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(self.where, "is not a text") from None
        if not secret:
            hint = "set the variable" if kind == "env" else "write the secret into the file"
            raise ConfigError(self.where, "there is no secret", hint)
        return secret


def _read(path: Path) -> str:
    with path.expanduser().open("rb") as file:
        return file.read(SECRET_BYTES_MAX).decode().strip("\r\n")
