"""Reading the configuration: flags, ``HOTDESK_*``, ``hotdesk.toml``, the user's file, defaults.

Secrets stay where they are: only their places are read here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hotdesk.config.environment import variables
from hotdesk.config.layers import Key, Layers, dotted
from hotdesk.config.mistakes import ConfigMistakes, mistakes_of
from hotdesk.config.secret import SecretRef
from hotdesk.config.sections import Config, leaves
from hotdesk.errors import ConfigError

PREFIX = "HOTDESK_"
FILE = Path("hotdesk.toml")
USER_FILE = Path(".config/hotdesk/config.toml")
DEFAULT = "default"
# What an agent finds in its environment (it may send instructions of its own), and the desk
# that `hotdesk worker run` is for, and where a stack keeps the file.
NO_SETTINGS = ("JOB_FILE", "RESULT_FILE", "SESSION_DIR", "DESK", "CONFIG_S3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What stands in ``hotdesk.toml`` on a machine that has none; ``origin`` is its address."""

    origin: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration and where it came from; ``files`` are those that were read."""

    config: Config
    layers: Layers
    files: tuple[Path | str, ...]

    def values(self) -> Iterator[tuple[Key, object, str]]:
        """Yield each setting with its value and its origin."""
        for key, value in leaves(self.config):
            yield key, value, self.layers.origin(key) if self.layers.is_set(key) else DEFAULT

    def check_secrets(self) -> None:
        """Read every secret once, and keep none.

        Raises:
            ConfigMistakes: Some are not there.
        """
        mistakes = []
        for key, value, origin in self.values():
            try:
                if isinstance(value, SecretRef):
                    value.read()
            except ConfigError as error:
                problem = f"{error.key}: {error.problem}, in {origin}"
                mistakes.append(ConfigError(dotted(key), problem, error.hint))
        if mistakes:
            raise ConfigMistakes(mistakes)


def names_file(file: Path | None) -> bool:
    """Whether somebody has said which file is to be read."""
    return file is not None or bool(variables().get(f"{PREFIX}CONFIG"))


def load(
    file: Path | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    document: Document | None = None,
) -> Loaded:
    """Read the configuration and check all of it.

    *file* stands in for ``HOTDESK_CONFIG``, and that for *document* or ``hotdesk.toml``
    here. *flags* are dotted keys with the values given on the command line.

    Raises:
        ConfigError: A file cannot be read, or is not TOML.
        ConfigMistakes: Everything that is wrong with the settings.
    """
    given = {
        name.removeprefix(PREFIX): text
        for name, text in sorted(variables().items())
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in NO_SETTINGS
    }
    named = given.pop("CONFIG", "")
    file = file or (Path(named) if named else None)
    layers = Layers()
    files: list[Path | str] = []
    if (user_file := Path.home() / USER_FILE).is_file():
        files.append(user_file)
        layers.add_file(user_file)
    if file is None and document is not None:
        files.append(document.origin)
        layers.add_document(document.content, document.origin)
    elif file is not None or FILE.is_file():
        files.append(file or FILE)
        layers.add_file(file or FILE)
    for name, text in given.items():
        layers.add_text(tuple(name.lower().split("__")), text, PREFIX + name)
    for name, text in (flags or {}).items():
        key = tuple(name.split("."))
        layers.put(key, text, "--" + key[-1].replace("_", "-"))
    try:
        config = Config.model_validate(layers.tree)
    except ValidationError as error:
        raise mistakes_of(error, layers.origin) from None
    return Loaded(config=config, layers=layers, files=tuple(files))
