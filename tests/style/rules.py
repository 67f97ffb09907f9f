"""The house rules that neither ruff nor mypy can express, as functions over one file.

Each rule takes a file and yields ``line: what is wrong``. A rule knows where it applies
and says nothing about other files. Rules that ruff can express are in pyproject.toml.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

LINES_MAX = 500
FUNCTION_LINES_MAX = 70
TEST_NAME_WORDS_MIN = 4

# A drawer has no name for what it knows, so anything can be thrown in.
DRAWERS = frozenset("base common core helper manager misc service util".split())

# From the column "not" of the glossary, the words that are wrong everywhere in src. The
# others depend on what is meant (an agent has a session, a desk has none).
FOREIGN_WORDS = frozenset(
    """coalesce evict failover fleet ingester janitor keepalive lane nack prune quiesce reaper
    reclaim rescue resend reservation steal tenant ticket""".split()
)

SQL = re.compile(r"\s*(?:(?:SELECT|INSERT|UPDATE|WITH|CREATE|ALTER|DROP|ATTACH)\s|DELETE\s+FROM\b)")
TRANSACTION = re.compile(
    r"\s*(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|PRAGMA|VACUUM|ANALYZE|EXPLAIN QUERY)\b"
)
TRANSACTION_FILE = PurePosixPath("src/hotdesk/backends/sqlite/file.py")

LOG_METHODS = frozenset("debug info warning error exception critical fatal log msg bind".split())

# Put together from pieces, so that this file does not break its own rule.
REGISTRY = re.compile(
    "|".join(
        re.escape(".".join(labels))
        for labels in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("deb", "debian", "org"),
            ("security", "debian", "org"),
            ("proxy", "golang", "org"),
            ("crates", "io"),
        )
    )
)
# What switches a check off for a line, and what is left of the line after it.
EXCEPTION = re.compile(r"#\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type: ignore\b\S*)")
EXCEPTION_OF_ALL = re.compile(r'\s+"[A-Z]+\d*",(?P<reason>.*)')

ONE_MACHINES_PATH = re.compile(
    r"(?<![\w.~-])/(?:work/(?:main|shared|\.\w+)|root/[\w.]|home/\w+/|Users/\w+/)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of the repository: its path from the root, and its text."""

    path: PurePosixPath
    text: str

    @property
    def is_python(self) -> bool:
        return self.path.suffix == ".py"

    @property
    def is_shipped(self) -> bool:
        """Whether the file is part of the package, so that the words of the glossary bind it."""
        return self.path.is_relative_to("src/hotdesk")

    @property
    def is_test(self) -> bool:
        return self.path.is_relative_to("tests")

    def nodes(self) -> Iterator[ast.AST]:
        """Yield the nodes of the syntax tree; none, for what is not Python."""
        return ast.walk(_tree(self.text)) if self.is_python else iter(())


Rule = Callable[[Source], Iterator[str]]


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def files_are_short(source: Source) -> Iterator[str]:
    """A file of more than 500 lines asks for a second noun."""
    if source.path.suffix in {".py", ".sql", ".html", ".css", ".js"}:
        lines = source.text.count("\n")
        if lines > LINES_MAX:
            yield f"1: {lines} lines, more than {LINES_MAX}"


def functions_are_short(source: Source) -> Iterator[str]:
    """A function of more than 70 lines hides another one."""
    for node in source.nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name}: {lines} lines, more than {FUNCTION_LINES_MAX}"


def modules_are_named_for_what_they_know(source: Source) -> Iterator[str]:
    """No file or folder is a drawer."""
    if source.is_python:
        for part in source.path.with_suffix("").parts:
            if drawer := _words(part) & DRAWERS:
                yield f"1: {part}: {drawer.pop()} says nothing about what is inside"


def packages_only_re_export(source: Source) -> Iterator[str]:
    """``__init__.py`` has a docstring, imports and ``__all__``, and does nothing."""
    if source.path.name != "__init__.py":
        return
    for statement in _tree(source.text).body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
                continue
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                continue
        yield f"{statement.lineno}: __init__.py does more than re-export"


CATCHES_ALL = {
    PurePosixPath("src/hotdesk/runners/function.py"),
    # Hands an error to the thread that waits for it.
    PurePosixPath("src/hotdesk/backends/aws/abandoning.py"),
    # One mail that our code cannot read must not hold up the others of its event.
    PurePosixPath("src/hotdesk/lambdas/intake.py"),
}


def failures_are_named(source: Source) -> Iterator[str]:
    """Only the border to foreign code may catch everything; anyone may on the way to raising it."""
    if source.path in CATCHES_ALL:
        return
    for node in source.nodes():
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = (
            {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)}
            if (node.type)
            else {"everything"}
        )
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        if "BaseException" in caught and not raises_again:
            yield f"{node.lineno}: except BaseException swallows cancellation"
        if caught & {"Exception", "everything"}:
            yield f"{node.lineno}: name the errors that this code can act on"


def python_holds_no_sql(source: Source) -> Iterator[str]:
    """SQL lives in ``.sql`` files; one module of the backend drives transactions."""
    if not source.is_shipped:
        return
    for node in source.nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_transaction = TRANSACTION.match(node.value) and source.path != TRANSACTION_FILE
            if SQL.match(node.value) or is_transaction:
                yield f"{node.lineno}: SQL outside a .sql file: {node.value.strip()[:40]!r}"


def log_lines_are_constant(source: Source) -> Iterator[str]:
    """A log line is an event with fields; text put together cannot be searched or filtered."""
    for node in source.nodes():
        if isinstance(node, ast.Call) and _is_log_call(node.func):
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if _is_text_put_together(argument):
                    yield f"{node.lineno}: a text put together on its way to a log"


def words_are_of_the_glossary(source: Source) -> Iterator[str]:
    """One word for one thing: names do not bring in a second one."""
    if not (source.is_shipped and source.is_python):
        return
    names = [(1, part) for part in source.path.with_suffix("").parts]
    names += [name for node in source.nodes() for name in _names_given(node)]
    for line, name in names:
        if foreign := _words(name) & FOREIGN_WORDS:
            yield f"{line}: {name}: the glossary has another word for {foreign.pop()!r}"


def nothing_names_a_registry_or_a_machine(source: Source) -> Iterator[str]:
    """What is here works behind any mirror and in any folder."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if found := REGISTRY.search(line) or ONE_MACHINES_PATH.search(line):
            yield f"{number}: {found[0]} is true on one machine only"


def exceptions_say_why(source: Source) -> Iterator[str]:
    """A check that is switched off carries its reason on the line."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if source.is_python:
            exceptions = list(EXCEPTION.finditer(line))
            if exceptions and not line[exceptions[-1].end() :].strip(" #-"):
                yield f"{number}: {exceptions[-1][0]} gives no reason"
        elif source.path == PurePosixPath("pyproject.toml"):
            ignored = EXCEPTION_OF_ALL.fullmatch(line)
            if ignored and "#" not in ignored["reason"]:
                yield f"{number}: {line.strip()} gives no reason"


def tests_do_not_sleep(source: Source) -> Iterator[str]:
    """A test waits for what it expects, or turns a clock; ruff bans ``time.sleep``."""
    # In the simulation time is virtual: a day of sleep takes none.
    if source.is_test and "simulation" not in source.path.parts:
        for node in source.nodes():
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="anyio" | "asyncio"), attr="sleep"),
                    args=[argument],
                ) if not (isinstance(argument, ast.Constant) and argument.value == 0):
                    yield f"{node.lineno}: a test that sleeps is slow or flaky, or both"


def names_of_tests_are_sentences(source: Source) -> Iterator[str]:
    """A test name says what would be false."""
    if source.is_test:
        for node in source.nodes():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = node.name.split("_")
                if words[0] == "test" and len(words) <= TEST_NAME_WORDS_MIN:
                    yield f"{node.lineno}: {node.name} is not a sentence that can be false"


RULES: tuple[Rule, ...] = (
    files_are_short,
    functions_are_short,
    modules_are_named_for_what_they_know,
    packages_only_re_export,
    failures_are_named,
    python_holds_no_sql,
    log_lines_are_constant,
    words_are_of_the_glossary,
    nothing_names_a_registry_or_a_machine,
    exceptions_say_why,
    tests_do_not_sleep,
    names_of_tests_are_sentences,
)


def _words(name: str) -> set[str]:
    words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))
    return {form for word in words for form in (word, word.removesuffix("s"))}


def _names_given(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield what *node* gives a name to; not the names that it uses, which may be others'."""
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.lineno, node.name
        case ast.arg():
            yield node.lineno, node.arg
        case ast.Name(ctx=ast.Store()):
            yield node.lineno, node.id
        case ast.Attribute(ctx=ast.Store()):
            yield node.lineno, node.attr


def _is_log_call(function: ast.expr) -> bool:
    if not (isinstance(function, ast.Attribute) and function.attr in LOG_METHODS):
        return False
    match function.value:
        case ast.Name(id=owner) | ast.Attribute(attr=owner):
            return bool({"log", "logger", "logging"} & _words(owner))
        case ast.Call(func=ast.Name(id=maker) | ast.Attribute(attr=maker)):
            return "logger" in _words(maker)
    return False


def _is_text_put_together(value: ast.expr) -> bool:
    match value:
        case ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Mod() | ast.Add(), right=right):
            return any(
                _is_text_put_together(side)
                or (isinstance(side, ast.Constant) and isinstance(side.value, str))
                for side in (left, right)
            )
        case ast.Call(func=ast.Attribute(attr="format")):
            return True
    return False
