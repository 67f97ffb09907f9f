"""The search finds what there is, and its traces lead there."""

from hotdesk.model.mutants.running import SettleUndeleted, Unprobed
from hotdesk.model.mutants.submitting import CheckThenSend
from hotdesk.model.protocol import Protocol
from hotdesk.model.rulings import Moves
from hotdesk.model.search import FORGOTTEN, LEFT_BEHIND, Search, canonical
from hotdesk.model.setup import Setup
from hotdesk.model.state import Do, State, Worker


class FinishesByLuck(Protocol):
    """No run ever ends, unless something goes wrong."""

    def run(self, state: State, place: int, worker: Worker) -> Moves:
        return iter(())

    def trouble(self, state: State) -> Moves:
        for place, worker in enumerate(state.workers):
            if worker.do is Do.RUN:
                yield "luck", self.worker_is(state, place, worker._replace(do=Do.SEAL))


def test_a_trace_leads_step_by_step_to_the_state_that_it_explains() -> None:
    protocol = Unprobed(Setup.of("1", crashes=1))

    verdict = Search(protocol).run()

    state = protocol.start_state()
    for words in verdict.trace:
        moves = dict([*protocol.steps(state), *protocol.trouble(state)])
        state = moves[words]
    assert state == verdict.last
    assert state.broken == verdict.broken


def test_an_end_that_only_a_fault_leads_to_does_not_count() -> None:
    verdict = Search(FinishesByLuck(Setup.of("1", workers=1))).run()

    assert verdict.broken == FORGOTTEN


def test_the_nearest_state_without_an_end_is_the_one_that_is_shown() -> None:
    verdict = Search(CheckThenSend(Setup.of("1"))).run()

    assert verdict.broken == FORGOTTEN
    assert verdict.trace[-2:] == ("worker 0 claims the desk", "worker 0 releases the desk")


def test_states_that_differ_only_in_who_is_who_are_one() -> None:
    state = Protocol(Setup.of("1")).start_state()
    busy = Worker(do=Do.CLAIM)
    one = state._replace(workers=(busy, Worker()))
    other = state._replace(workers=(Worker(), busy))

    assert one != other
    assert canonical(one) == canonical(other)


def test_the_search_says_how_far_it_is() -> None:
    said: list[tuple[int, int, int]] = []

    verdict = Search(
        Protocol(Setup.of("2", crashes=1)),
        on_progress=lambda *told: said.append(told),
    ).run()

    assert said[0] == (1, 0, 0)
    assert all(done <= known <= verdict.states for known, done, _ in said)
    assert all(depth <= verdict.depth for _, _, depth in said)


def test_the_depth_is_the_number_of_steps_to_the_farthest_state() -> None:
    setup = Setup.of("1", workers=1)

    verdict = Search(Protocol(setup)).run()

    state, steps = Protocol(setup).start_state(), 0
    seen = {state}
    ring = seen
    while ring := {
        after for state in ring for _, after in Protocol(setup).steps(state) if after not in seen
    }:
        seen |= ring
        steps += 1
    assert (verdict.depth, verdict.states) == (steps, len(seen))


def test_a_world_that_is_too_large_is_given_up_and_called_neither_good_nor_bad() -> None:
    verdict = Search(Protocol(Setup.of("2", crashes=1)), states_max=100).run()

    assert verdict.is_cut
    assert not verdict.broken
    assert 100 < verdict.states < 150


def test_jobs_that_cannot_be_finished_are_told_from_what_they_leave_behind() -> None:
    forgotten = Search(CheckThenSend(Setup.of("1"))).run()
    left = Search(SettleUndeleted(Setup.of("1", workers=3, freezes=1))).run()

    assert forgotten.broken == FORGOTTEN
    assert left.broken == LEFT_BEHIND
