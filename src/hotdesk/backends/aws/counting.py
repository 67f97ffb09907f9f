"""Amounts by name, an item for each step of time; DynamoDB forgets them by itself."""

from datetime import datetime

from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import serial
from hotdesk.ports import TALLY_KEPT, TALLY_STEP, tally_step


async def count(table: Table, name: str, amount: int, now: datetime) -> None:
    """Add *amount* to the step of *now*.

    In a transaction, because boto3 repeats a call that was not answered, and a transaction
    has a token that keeps a repetition from counting twice.
    """
    expires = int((now + TALLY_STEP + TALLY_KEPT).timestamp())

    async def work(tx: Change) -> None:
        tx.update(
            (_partition(name), serial(tally_step(now))),
            "SET #expires = :expires ADD #amount :amount",
            expires=expires,
            amount=amount,
        )

    await change(table, now, work)


async def counted(table: Table, name: str, since: datetime) -> int:
    """What was added from the step of *since* on."""
    amounts = [
        item["amount"]
        async for item in table.query(_partition(name), after=serial(tally_step(since) - 1))
    ]
    return sum(each for each in amounts if isinstance(each, int))


def _partition(name: str) -> str:
    return f"tally {name}"
