"""``[prices]``: what things cost, for ``hotdesk plan``."""

from pydantic import Field

from hotdesk.config import values
from hotdesk.config.section import Section
from hotdesk.planner.prices import Prices

LISTED = Prices()


class PricesConfig(Section):
    """What things cost, in dollars, for `hotdesk plan`; public list prices unless set."""

    fargate_hour: values.Number = Field(
        LISTED.fargate_hour, ge=0, description="A worker on Fargate for an hour."
    )
    fargate_spot_hour: values.Number = Field(
        LISTED.fargate_spot_hour, ge=0, description="The same on Fargate Spot."
    )
    ec2_hour: values.Number = Field(
        LISTED.ec2_hour, ge=0, description="A worker's share of an EC2 instance for an hour."
    )
    server_month: values.Number = Field(
        LISTED.server_month, ge=0, description="A server of one's own for a month."
    )
    workers_per_server: values.Number = Field(
        LISTED.workers_per_server, ge=1, description="How many workers a server has room for."
    )
    transition: values.Number = Field(
        LISTED.transition, ge=0, description="A state transition of Step Functions."
    )
    queue_request: values.Number = Field(
        LISTED.queue_request, ge=0, description="A request to SQS."
    )
    table_write: values.Number = Field(
        LISTED.table_write, ge=0, description="A write request unit of DynamoDB."
    )
    table_read: values.Number = Field(
        LISTED.table_read, ge=0, description="A read request unit of DynamoDB."
    )
    function_call: values.Number = Field(
        LISTED.function_call, ge=0, description="A call of a Lambda function for a second."
    )

    @property
    def prices(self) -> Prices:
        """The same for the planner."""
        return Prices(**self.model_dump())
