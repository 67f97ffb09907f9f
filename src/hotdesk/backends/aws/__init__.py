"""The distributed backend: desks in DynamoDB, messages in SQS."""

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls

__all__ = ["AwsBackend", "Calls"]
