"""The website of the demo: a small real one, its repository, and what became of it.

The pages are fixed text. Everything that is said about branches and commits is read from
the bare origin, where people would fetch it from.
"""

from dataclasses import dataclass
from pathlib import Path

from hotdesk.workspaces.commits import LOG_FORMAT, Stamp, read_log
from hotdesk.workspaces.git import Git, Place

PROJECT = "amelia"
BASE = "main"
TITLE = "Amelia's Bakery"
PAGES = {
    "index.html": f"""\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{TITLE}</title>
  <link rel="stylesheet" href="style.css">
</head>
<body>
  <header>
    <h1 id="title">{TITLE}</h1>
    <p id="tagline">Bread and cake from our own oven</p>
    <nav><a href="index.html">Home</a> <a href="about.html">About us</a></nav>
  </header>
  <main>
    <h2>Today</h2>
    <ul>
      <li>Rye bread with caraway</li>
      <li>Apple cake</li>
      <li>Cinnamon rolls</li>
    </ul>
    <p id="hours">Open from Tuesday to Saturday, 7 to 18 o'clock.</p>
  </main>
  <footer id="footer">12 Mill Lane</footer>
</body>
</html>
""",
    "about.html": f"""\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{TITLE}</title>
  <link rel="stylesheet" href="style.css">
</head>
<body>
  <header>
    <h1 id="title">{TITLE}</h1>
    <p id="tagline">Bread and cake from our own oven</p>
    <nav><a href="index.html">Home</a> <a href="about.html">About us</a></nav>
  </header>
  <main>
    <h2>About us</h2>
    <p id="story">Amelia baked her first rye bread in 1998. The oven has hardly been cold since.</p>
  </main>
  <footer id="footer">12 Mill Lane</footer>
</body>
</html>
""",
    "style.css": """\
body {
  background: ivory;
  color: #333;
  font-family: system-ui, sans-serif;
  margin: 0;
}

header {
  background: steelblue;
  color: white;
  padding: 1.5rem 2rem;
}

h1 {
  color: white;
  margin: 0;
}

a {
  color: gold;
}

main {
  max-width: 40rem;
  padding: 1rem 2rem;
}

footer {
  background: lightgray;
  padding: 1rem 2rem;
}
""",
}
_AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Amelia"), ("EMAIL", "amelia@bakery.example"))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of the origin and its commits beyond the base, newest first."""

    name: str
    commits: tuple[tuple[str, Stamp], ...]


@dataclass(frozen=True, slots=True)
class Site:
    """The website below *folder*: Amelia's own copy, and the bare origin that all share."""

    folder: Path
    git: Git = Git()  # noqa: RUF009 - a frozen value

    @property
    def origin(self) -> Path:
        """The bare repository."""
        return self.folder / "bakery.git"

    @property
    def copy(self) -> Path:
        """Amelia's clone with the pages in it."""
        return self.folder / "bakery"

    async def build(self) -> None:
        """Write the pages, commit them and push them to a new bare origin.

        Raises:
            GitFailed: git is missing or could not do it.
        """
        self.copy.mkdir(parents=True)
        for name, content in PAGES.items():
            (self.copy / name).write_text(content, encoding="utf-8")
        await self.git.run("init", "--quiet", "--bare", f"--initial-branch={BASE}", at=self._bare)
        at = Place(git_dir=self.copy / ".git", work_tree=self.copy)
        await self.git.run("init", "--quiet", f"--initial-branch={BASE}", at=at)
        await self.git.run("remote", "add", "origin", str(self.origin), at=at)
        await self.git.run("add", "--all", at=at)
        words = ("commit", "--quiet", "--message", "Open the bakery's website")
        await self.git.run(*words, at=at, environment=_AUTHOR)
        await self.git.run("push", "--quiet", "origin", BASE, at=at)

    async def branches(self) -> list[Branch]:
        """Return the branches of threads.

        Raises:
            GitFailed: The origin cannot be read.
        """
        listed = await self.git.run(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", at=self._bare
        )
        names = [name for name in listed.text.split() if name != BASE]
        branches = []
        for name in names:
            log = await self.git.run("log", "-z", LOG_FORMAT, f"{BASE}..{name}", at=self._bare)
            branches.append(Branch(name=name, commits=tuple(read_log(log.output))))
        return branches

    async def page(self, branch: str, name: str) -> str:
        """Return a page as it stands on a branch.

        Raises:
            GitFailed: There is none.
        """
        shown = await self.git.run("show", f"{branch}:{name}", at=self._bare)
        return shown.output.decode()

    @property
    def _bare(self) -> Place:
        return Place(git_dir=self.origin)
