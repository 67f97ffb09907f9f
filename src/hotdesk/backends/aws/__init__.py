"""The distributed backend: desks in DynamoDB, messages in SQS.

Nothing is imported here: ``backend`` needs boto3, the name of a stack does not.
"""
