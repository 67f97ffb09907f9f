"""The names that jobs and costs are counted under: of a project, and of each sender in it.

Who limits and who counts must mean the same, so nobody else makes these names.
"""


def jobs_account(project: str, sender: str = "", *, is_doubted: bool = False) -> str:
    """What jobs count towards; what anybody can forge uses up nothing of what others have."""
    # An address of a sender has an "@", so that no project is taken for another's sender.
    return _account(f"jobs/unproven/{project}" if is_doubted else f"jobs/{project}", sender)


def usd_account(project: str, sender: str = "") -> str:
    """What costs count towards, in millionths of a dollar."""
    return _account(f"usd/{project}", sender)


def _account(project: str, sender: str) -> str:
    return f"{project}/{_mailbox(sender)}" if sender else project


def _mailbox(sender: str) -> str:
    """The address without what a ``+`` adds: anybody can make up more of those."""
    local, at, domain = sender.rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"
