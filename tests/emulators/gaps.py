"""What each emulator cannot do, by the tests that would need it.

A test named here is expected to fail on that emulator, is reported with its reason at the
end of a run, and fails the run once it passes: then its line goes.
"""

GAPS: dict[str, dict[str, str]] = {
    "moto": {},
    "ministack": {
        "test_a_task_whose_heartbeats_stop_times_out": "HeartbeatSeconds is ignored",
        "test_the_token_of_a_stopped_execution_is_refused": "StopExecution keeps tokens alive",
    },
}
