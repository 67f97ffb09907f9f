"""What each emulator cannot do, by the tests that would need it.

A test named here is expected to fail on that emulator, is reported with its reason at the
end of a run, and fails the run once it passes: then its line goes.
"""

GAPS: dict[str, dict[str, str]] = {
    "moto": {
        "test_workers_start_once_their_settings_are_in_the_bucket": "no events of resources",
        "test_a_deployment_without_changes_says_so": "finds changes where there are none",
        "test_a_deployment_that_fails_says_why_and_the_next_one_goes_on": "refuses no resource",
    },
    "ministack": {
        "test_a_task_whose_heartbeats_stop_times_out": "HeartbeatSeconds is ignored",
        "test_the_token_of_a_stopped_execution_is_refused": "StopExecution keeps tokens alive",
        "test_the_heartbeat_of_a_worker_finds_its_execution_stopped": (
            "StopExecution keeps tokens alive"
        ),
    },
}

# What no single test is named for: a test stands in for the emulator, or looks at settings only.
PARTS = (
    "moto runs no Lambda without Docker: the demo calls the handlers in processes of its own",
    "neither starts tasks of ECS: workers are processes, and task protection is asked of a stub",
    "neither proves scaling, alarms, receipt rules, TLS policies or rights: the template is read",
)
