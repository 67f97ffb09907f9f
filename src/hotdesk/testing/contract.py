"""What every backend must do, in one class to inherit from."""

from hotdesk.testing.contract_answers import AnswersContract
from hotdesk.testing.contract_approvals import ApprovalsContract
from hotdesk.testing.contract_cancelling import CancellingContract
from hotdesk.testing.contract_claiming import ClaimingContract
from hotdesk.testing.contract_events import EventsContract
from hotdesk.testing.contract_figures import FiguresContract
from hotdesk.testing.contract_folding import FoldingContract
from hotdesk.testing.contract_interrupting import InterruptingContract
from hotdesk.testing.contract_pages import PagesContract
from hotdesk.testing.contract_pausing import PausingContract
from hotdesk.testing.contract_placing import PlacingContract
from hotdesk.testing.contract_records import RecordsContract
from hotdesk.testing.contract_running import RunningContract
from hotdesk.testing.contract_submitting import SubmittingContract
from hotdesk.testing.contract_sweeping import SweepingContract
from hotdesk.testing.contract_tallies import TalliesContract


class BackendContract(
    SubmittingContract,
    ClaimingContract,
    PlacingContract,
    RunningContract,
    InterruptingContract,
    FoldingContract,
    CancellingContract,
    PausingContract,
    RecordsContract,
    PagesContract,
    EventsContract,
    AnswersContract,
    ApprovalsContract,
    TalliesContract,
    FiguresContract,
    SweepingContract,
):
    """Every promise of ``ports.Backend``.

    A backend's tests inherit from it and give the fixture ``connect``::

        class TestMyBackend(BackendContract):
            @pytest.fixture
            def connect(self, tmp_path, clock):
                return lambda: MyBackend(tmp_path / "store", clock)

    The tests need pytest with anyio's plugin. Nothing in them asks which backend
    they run on, and none is skipped.
    """
