"""The house rules hold in every tracked file, and each rule can be seen to fail."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from tests.style import rules
from tests.style.rules import RULES, Rule, Source

ROOT = Path(__file__).parents[2]


@cache
def tracked_files() -> tuple[Source, ...]:
    """Return the text files that git knows of; a binary file has no lines to judge."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    sources = []
    for name in filter(None, names):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            continue
        sources.append(Source(path=PurePosixPath(name), text=text))
    return tuple(sources)


def breaches(rule: Rule, path: str, text: str) -> list[str]:
    return list(rule(Source(path=PurePosixPath(path), text=text)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_tracked_file_breaks_a_house_rule(rule: Rule) -> None:
    found = [f"{source.path}:{breach}" for source in tracked_files() for breach in rule(source)]

    assert not found, "\n".join([rule.__doc__ or "", *found])


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (rules.files_are_short, "src/hotdesk/x.py", "\n" * 501),
        (rules.files_are_short, "src/hotdesk/backends/sqlite/x.sql", "\n" * 501),
        (rules.functions_are_short, "tools/x.py", "def f():\n" + "    f()\n" * 70),
        (rules.functions_are_short, "tools/x.py", "async def f():\n" + "    f()\n" * 70),
        (rules.modules_are_named_for_what_they_know, "src/hotdesk/utils.py", ""),
        (rules.modules_are_named_for_what_they_know, "tests/mail/mail_helpers.py", ""),
        (rules.modules_are_named_for_what_they_know, "src/hotdesk/core/desks.py", ""),
        (rules.packages_only_re_export, "src/hotdesk/__init__.py", "import x\nx.start()"),
        (rules.packages_only_re_export, "src/hotdesk/__init__.py", "X = 1"),
        (rules.failures_are_named, "src/hotdesk/x.py", "try: f()\nexcept: pass"),
        (rules.failures_are_named, "src/hotdesk/x.py", "try: f()\nexcept Exception: raise"),
        (rules.failures_are_named, "tests/x.py", "try: f()\nexcept (OSError, Exception): pass"),
        (rules.failures_are_named, "src/hotdesk/x.py", "try: f()\nexcept BaseException: pass"),
        (rules.failures_are_named, "src/hotdesk/x.py", "try: f()\nexcept* Exception: pass"),
        (rules.python_holds_no_sql, "src/hotdesk/x.py", "X = 'SELECT id FROM job'"),
        (rules.python_holds_no_sql, "src/hotdesk/x.py", "X = f'DELETE FROM {table}'"),
        (rules.python_holds_no_sql, "src/hotdesk/x.py", "X = 'BEGIN IMMEDIATE'"),
        (rules.python_holds_no_sql, "src/hotdesk/backends/sqlite/file.py", "X = ' UPDATE job'"),
        (rules.log_lines_are_constant, "src/hotdesk/x.py", "log.warning(f'lease of {job}')"),
        (rules.log_lines_are_constant, "src/hotdesk/x.py", "self._log.info('a', job=f'{job}')"),
        (rules.log_lines_are_constant, "src/hotdesk/x.py", "logger.info('lease of %s' % job)"),
        (rules.log_lines_are_constant, "src/hotdesk/x.py", "logging.info('lease of ' + job)"),
        (rules.log_lines_are_constant, "src/hotdesk/x.py", "get_logger().info('{}'.format(j))"),
        (rules.words_are_of_the_glossary, "src/hotdesk/reaper.py", ""),
        (rules.words_are_of_the_glossary, "src/hotdesk/x.py", "class LeaseJanitor: pass"),
        (rules.words_are_of_the_glossary, "src/hotdesk/x.py", "def f(tenants): pass"),
        (rules.words_are_of_the_glossary, "src/hotdesk/x.py", "self.last_keepalive = 1"),
        (rules.nothing_names_a_registry_or_a_machine, "README.md", "see pypi" + ".org"),
        (rules.nothing_names_a_registry_or_a_machine, "Makefile", "ls /wor" + "k/main"),
        (rules.nothing_names_a_registry_or_a_machine, "docs/x.md", "cd /hom" + "e/ann/hotdesk"),
        (rules.exceptions_say_why, "tools/x.py", "f()  # no" + "qa: S101"),
        (rules.exceptions_say_why, "tools/x.py", "f()  # no" + "qa"),
        (rules.exceptions_say_why, "tools/x.py", "f()  # type: " + "ignore[arg-type]"),
        (rules.exceptions_say_why, "pyproject.toml", '    "S101",'),
        (rules.tests_do_not_sleep, "tests/x.py", "async def test_x(): await anyio.sleep(0.1)"),
        (rules.names_of_tests_are_sentences, "tests/x.py", "def test_the_claim(): pass"),
    ],
)
def test_a_rule_finds_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert breaches(rule, path, text)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (rules.files_are_short, "src/hotdesk/x.py", "\n" * 500),
        (rules.files_are_short, "constraints.txt", "\n" * 501),
        (rules.functions_are_short, "tools/x.py", "def f():\n" + "    f()\n" * 69),
        (rules.modules_are_named_for_what_they_know, "src/hotdesk/database.py", ""),
        (rules.packages_only_re_export, "x/__init__.py", '"""X."""\nimport x\n__all__ = ["x"]'),
        (
            rules.failures_are_named,
            "src/hotdesk/runners/function.py",
            "try: f()\nexcept Exception: pass",
        ),
        (rules.failures_are_named, "x.py", "try: f()\nexcept BaseException:\n  g()\n  raise"),
        (rules.python_holds_no_sql, "src/hotdesk/backends/sqlite/file.py", "X = 'BEGIN'"),
        (rules.python_holds_no_sql, "src/hotdesk/x.py", "'DELETE'; 'Select a desk'; 'BEGINNING'"),
        (rules.log_lines_are_constant, "x.py", "log.info('lease_expired', job=job, n=a + b)"),
        (rules.log_lines_are_constant, "x.py", "dialog.info(f'{job}'); echo(f'{job}')"),
        (rules.words_are_of_the_glossary, "src/hotdesk/x.py", "import x; x.prune(tenant=1)"),
        (rules.words_are_of_the_glossary, "tests/x.py", "tenant = 1"),
        (rules.nothing_names_a_registry_or_a_machine, "x.py", "['/home', '/root', '/srv/']"),
        (rules.exceptions_say_why, "x.py", "f()  # no" + "qa: S101, S102 - it is our own bug"),
        (rules.exceptions_say_why, "x.py", "f()  # type: " + "ignore[misc]  # mypy bug 1"),
        (rules.exceptions_say_why, "pyproject.toml", '    "S101", # Our own bugs.'),
        (rules.tests_do_not_sleep, "tests/x.py", "async def f(): await anyio.sleep(0)"),
        (rules.tests_do_not_sleep, "src/x.py", "async def f(): await anyio.sleep(1)"),
        (rules.names_of_tests_are_sentences, "tests/x.py", "def test_a_claim_ends_once(): pass"),
    ],
)
def test_a_rule_leaves_alone_what_just_keeps_it(rule: Rule, path: str, text: str) -> None:
    assert not breaches(rule, path, text)


# Each line after the first must be refused.
BANNED = """\
import asyncio, os; from datetime import UTC, date, datetime
import time
from time import monotonic
from unittest import mock
datetime.now(tz=UTC)
datetime.utcnow()
datetime.today()
date.today()
asyncio.create_task(work())
asyncio.ensure_future(work())
asyncio.sleep(1)
os.environ["HOME"]
os.getenv("HOME")
"""


def lines_refused_by_ruff(path: str, code: str) -> set[int]:
    """Return the lines on which the project's configuration of ruff bans a call."""
    report = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format=json", "--stdin-filename", path],
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        finding["location"]["row"]
        for finding in json.loads(report.stdout)
        if finding["code"] == "TID251"
    }


def test_ruff_refuses_what_needs_a_port_or_a_parent() -> None:
    refused = lines_refused_by_ruff("src/hotdesk/x.py", BANNED)

    assert refused == set(range(2, BANNED.count("\n") + 1))


@pytest.mark.parametrize("path", ["src/hotdesk/clock.py", "src/hotdesk/config/environment.py"])
def test_ruff_lets_one_file_each_read_the_time_and_the_environment(path: str) -> None:
    assert not lines_refused_by_ruff(path, BANNED)
