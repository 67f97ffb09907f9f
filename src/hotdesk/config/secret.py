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

    @property
    def file(self) -> Path | None:
        """The file that holds it, if one does."""
        kind, _, name = self.where.partition(":")
        return Path(name).expanduser().absolute() if kind == "file" else None

    def read(self) -> str:
        """Return the secret, without the line end of its file.

        Raises:
            ConfigError: It is not there, or empty.
        """
        file = self.file
        try:
            if file is None:
                secret = variables().get(self.where.removeprefix("env:"), "")
            else:
                secret = _read(file)
        except OSError as error:
            raise ConfigError(self.where, f"cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(self.where, "is not a text") from None
        if not secret:
            hint = "write the secret into the file" if file else "set the variable"
            raise ConfigError(self.where, "there is no secret", hint)
        return secret


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(SECRET_BYTES_MAX).decode().strip("\r\n")
