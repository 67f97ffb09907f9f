"""To whom a domain belongs: the part of it that somebody registered.

The list of suffixes under which people register comes with its package and is never
fetched; a newer one comes with a newer version.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


def organization_of(domain: str) -> str:
    """Return the registered domain that *domain* is or stands below; of a suffix itself, it."""
    found = _suffixes().privatesuffix(domain)
    return domain if found is None else str(found)


def is_aligned(domain: str, other: str, *, is_strict: bool) -> bool:
    """Whether both belong to one owner; with ``is_strict``, whether they are the same."""
    if domain == other or is_strict:
        return domain == other
    return organization_of(domain) == organization_of(other)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
