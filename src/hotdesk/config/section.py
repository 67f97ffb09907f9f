"""What all tables of the file have in common."""

from pydantic import BaseModel


class Section(BaseModel, frozen=True, extra="forbid"):
    """A table of the file."""
