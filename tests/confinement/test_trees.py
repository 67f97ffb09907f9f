"""The processes of one program, where nothing but the tree itself ends them."""

import secrets
from subprocess import PIPE

import anyio
import pytest

from hotdesk.confinement import Confinement, Mode, Tree, find_confinement
from hotdesk.errors import AttemptFailed
from tests.runners.programs import living

pytestmark = pytest.mark.anyio


async def started(confinement: Confinement, script: str) -> Tree:
    """Start a shell as the first process of a namespace that nothing ties to this one."""
    user = [] if confinement.uid is not None else ["--user", "--map-current-user"]
    process = await anyio.open_process(
        [confinement.unshare, *user, "--pid", "--fork", "sh", "-c", script], stdout=PIPE
    )
    assert process.stdout is not None
    await process.stdout.receive()
    await process.stdout.aclose()
    return Tree(process, confinement)


@pytest.fixture
def span() -> str:
    """An argument for ``sleep`` that nobody else uses."""
    return f"60.{secrets.randbelow(10**12):012}"


async def test_a_tree_ends_even_if_its_first_process_is_not_tied_to_its_parent(span: str) -> None:
    confinement = find_confinement().of(Mode.NAMESPACES)
    tree = await started(confinement, f"sleep {span} & echo ready; wait")
    tree.find_program()

    await tree.end()

    assert living(span) == []


async def test_a_tree_of_an_unexpected_shape_is_refused_and_ended(span: str) -> None:
    confinement = find_confinement().of(Mode.NAMESPACES)
    tree = await started(confinement, f"sleep {span} & sleep {span} & echo ready; wait")

    with pytest.raises(AttemptFailed, match="while it was started"):
        tree.find_program()
    await tree.end()

    assert living(span) == []
