"""What things cost: public list prices, in dollars, each with the page that it is from.

They were written down from memory of those pages in November 2026, for AWS in us-east-1;
nothing fetches them. Each can be set otherwise (``[prices]``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from hotdesk.errors import ConfigError

PRICES_OF = "November 2026"
HOURS_A_MONTH = 730.0
"""As the calculator of AWS has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices in dollars; hours are those of one worker with 1 vCPU and 4 GB, as the template's.

    - ``fargate_hour``, ``fargate_spot_hour``: https://aws.amazon.com/fargate/pricing/, with
      10 GB of disk beyond the 20 included and a public address;
      Spot is cheaper by about 70 %.
    - ``ec2_hour``: a quarter of an m7i.xlarge (4 vCPU, 16 GB), which holds four workers:
      https://aws.amazon.com/ec2/pricing/on-demand/
    - ``server_month``: a rented server for ``workers_per_server`` workers.
    - ``transition``: of a standard workflow, https://aws.amazon.com/step-functions/pricing/
    - ``queue_request``: FIFO, https://aws.amazon.com/sqs/pricing/
    - ``table_write``, ``table_read``: on demand,
      https://aws.amazon.com/dynamodb/pricing/on-demand/
    - ``function_call``: one call of a Lambda function of 512 MB for a second,
      https://aws.amazon.com/lambda/pricing/
    """

    fargate_hour: float = 0.04048 + 4 * 0.004445 + 10 * 0.000111 + 0.005
    fargate_spot_hour: float = 0.3 * (0.04048 + 4 * 0.004445) + 10 * 0.000111 + 0.005
    ec2_hour: float = 0.2016 / 4
    server_month: float = 60.0
    workers_per_server: float = 8.0
    transition: float = 0.025 / 1_000
    queue_request: float = 0.50 / 1_000_000
    table_write: float = 0.625 / 1_000_000
    table_read: float = 0.125 / 1_000_000
    function_call: float = 0.20 / 1_000_000 + 0.5 * 0.0000166667

    def but(self, overrides: Mapping[str, float]) -> "Prices":
        """These prices, but for *overrides* by name.

        Raises:
            ConfigError: There is no such price, or it is none.
        """
        known = {each.name for each in fields(self)}
        for name, price in overrides.items():
            if name not in known:
                raise ConfigError(
                    f"prices.{name}", "there is no such price", f"use {', '.join(sorted(known))}"
                )
            if not 0 <= price < float("inf") or (name == "workers_per_server" and price < 1):
                raise ConfigError(f"prices.{name}", f"{price} is no price")
        return replace(self, **overrides)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerJob:
    """What one job takes of AWS beside its worker's time, heartbeats not included.

    ``calls`` are requests to the API, of ours and of the workflow; ``writes`` and ``reads``
    are what DynamoDB charges for, which is more than calls.
    """

    transitions: int
    calls: int
    writes: int
    reads: int
    messages: int

    def cost(self, prices: Prices) -> float:
        """In dollars, with one call of the function that takes the mail."""
        return (
            self.transitions * prices.transition
            + self.writes * prices.table_write
            + self.reads * prices.table_read
            + self.messages * prices.queue_request
            + prices.function_call
        )

    @property
    def requests(self) -> int:
        """API calls and state transitions together."""
        return self.calls + self.transitions


# Calls and transitions are those of the table in docs/aws.md; what DynamoDB charges for was
# counted once, on 2026-11-22.
POOLED = PerJob(transitions=6, calls=38 + 3, writes=75, reads=19, messages=6)
OWN = PerJob(transitions=2, calls=6 + 1, writes=2, reads=0, messages=3)
