"""The one table: its keys, its indexes, and the calls that read it.

Every item has ``pk`` and ``sk``. An item that is looked for in another way has the
pair of keys of an index, and is in that index only while it has them.
"""

import random
from collections.abc import AsyncIterator, Sequence

import anyio

from hotdesk.backends.aws.blobs import Blobs, Kept, pointed
from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.backends.aws.values import Item, Value, decode_item, encode, encode_item
from hotdesk.errors import StoreError, Unavailable

INDEXES = {
    # Desks by what they wait for, answers by when they are due, jobs by their end.
    "by_time": ("time_kind", "time"),
    # Jobs of a desk, events of a job.
    "by_group": ("group", "place"),
    # Jobs by their state.
    "by_state": ("state_kind", "listed"),
}
# What an index holds beside its keys, so that a conversation is found without its jobs.
PROJECTED = {"by_group": ["desk", "thread"], "by_state": ["desk", "thread"]}
# DynamoDB TransactWriteItems: up to 100 actions.
ACTIONS_MAX = 100
PAGES_MAX = 1000
_READ_MAX = 100  # DynamoDB BatchGetItem: up to 100 items.
_WRITE_MAX = 25  # DynamoDB BatchWriteItem: up to 25 items.
_FRUITLESS_MAX = 10
# Of an item whose long texts are replaced while they are read.
_READ_AGAIN_MAX = 10
# A transaction takes some hundredths of a second: more of them in a row are a fault.
_CONFLICTS_MAX = 10
_CONFLICT_SECONDS = 0.05
_BATCH_PAUSE_SECONDS = 0.05


def definition(name: str) -> dict[str, object]:
    """The arguments of CreateTable."""
    keys = [("pk", "sk"), *INDEXES.values()]
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": each, "AttributeType": "S"} for pair in keys for each in pair
        ],
        "KeySchema": _schema(("pk", "sk")),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": _schema(pair),
                "Projection": _projection(index),
            }
            for index, pair in INDEXES.items()
        ],
    }


def _schema(pair: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(pair, ("HASH", "RANGE"), strict=True)
    ]


def _projection(index: str) -> dict[str, object]:
    if index in PROJECTED:
        return {"ProjectionType": "INCLUDE", "NonKeyAttributes": PROJECTED[index]}
    return {"ProjectionType": "KEYS_ONLY"}


Key = tuple[str, str]


class Table:
    """Reads, and single writes, of the table of one stack."""

    def __init__(self, calls: Calls, name: str, blobs: Blobs) -> None:
        """Use the table *name*, whose long texts are *blobs*."""
        self.name = name
        self.blobs = blobs
        self._calls = calls

    async def get(self, key: Key) -> Item | None:
        """One item as it stands, or ``None``."""
        answer = await self._calls.dynamodb(
            "get_item", TableName=self.name, Key=wire_key(key), ConsistentRead=True
        )
        return decode_item(answer["Item"]) if "Item" in answer else None

    async def get_all(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Those of *keys* that exist, as they stand."""
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), _READ_MAX):
            left = [wire_key(key) for key in dict.fromkeys(keys[start : start + _READ_MAX])]
            fruitless = 0
            while left:
                answer = await self._calls.dynamodb(
                    "batch_get_item",
                    RequestItems={self.name: {"Keys": left, "ConsistentRead": True}},
                )
                for wire in answer["Responses"].get(self.name, ()):
                    item = decode_item(wire)
                    found[str(item["pk"]), str(item["sk"])] = item
                rest = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                fruitless = await _pause(fruitless + 1 if len(rest) == len(left) else 0)
                left = rest
        return found

    async def delete_all(self, keys: Sequence[Key]) -> None:
        """Remove those of *keys* that exist."""
        for start in range(0, len(keys), _WRITE_MAX):
            left = [
                {"DeleteRequest": {"Key": wire_key(key)}}
                for key in dict.fromkeys(keys[start : start + _WRITE_MAX])
            ]
            fruitless = 0
            while left:
                answer = await self._calls.dynamodb(
                    "batch_write_item", RequestItems={self.name: left}
                )
                rest = answer.get("UnprocessedItems", {}).get(self.name, [])
                fruitless = await _pause(fruitless + 1 if len(rest) == len(left) else 0)
                left = rest

    async def whole(self, item: Item, kept: Kept) -> Item:
        """The *item* of a job with its long texts, and in *kept* where they are.

        Raises:
            Refused: The job is being removed.
            StoreError: Somebody else has removed a text.
        """
        for _ in range(_READ_AGAIN_MAX):
            try:
                return await self.blobs.unpack(str(item["id"]), item, kept)
            except Refused as error:
                key = error.answer["Key"]
            again = await self.get((str(item["pk"]), str(item["sk"])))
            if again is None or "id" not in again:
                raise Refused("being removed", {})
            if key in map(pointed, again.values()):
                raise StoreError(
                    f"the bucket has lost {key}; bring it back from a copy, or discard the job"
                )
            # Another text has taken its place since the item was read.
            item = again
        raise Unavailable("a job was changed again and again while it was read")

    async def query(
        self,
        partition: str,
        *,
        index: str | None = None,
        after: str = "",
        before: str = "",
        until: str = "",
        limit: int | None = None,
        is_backward: bool = False,
    ) -> AsyncIterator[Item]:
        """The items of a partition in the order of their second key.

        Above *after*, or below *before*, or up to and with *until*. Those of an index
        hold only their keys, and may be a moment old: look at the items before you act on them.
        """
        first, second = INDEXES[index] if index else ("pk", "sk")
        names = {"#p": first}
        values: dict[str, Value] = {":p": partition}
        condition = "#p = :p"
        for bound, operator in ((after, ">"), (before, "<"), (until, "<=")):
            if bound:
                names["#s"] = second
                values[":s"] = bound
                condition = f"#p = :p AND #s {operator} :s"
        arguments: dict[str, object] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": encode_item(values),
            "ScanIndexForward": not is_backward,
        }
        if index:
            arguments["IndexName"] = index
        else:
            arguments["ConsistentRead"] = True
        given = 0
        for _ in range(PAGES_MAX):
            if limit is not None:
                arguments["Limit"] = limit - given
            answer = await self._calls.dynamodb("query", **arguments)
            for wire in answer["Items"]:
                yield decode_item(wire)
                given += 1
            if "LastEvaluatedKey" not in answer or (limit is not None and given >= limit):
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def found(
        self,
        partition: str,
        *,
        index: str,
        after: str = "",
        until: str = "",
        limit: int | None = None,
        is_backward: bool = False,
    ) -> list[Item]:
        """The whole items that an index names, in its order; what is gone is left out."""
        keys: list[Key] = [
            (str(item["pk"]), str(item["sk"]))
            async for item in self.query(
                partition,
                index=index,
                after=after,
                until=until,
                limit=limit,
                is_backward=is_backward,
            )
        ]
        items = await self.get_all(keys)
        return [items[key] for key in keys if key in items]

    async def update(self, key: Key, change: str, *, condition: str = "", **values: Value) -> Item:
        """Update one item as *change* says; return it as it is then.

        A name in *change* that starts with ``#`` stands for the attribute of that name.

        Raises:
            Refused: The *condition* does not hold.
            Unavailable: Transactions kept the item busy.
        """
        for attempt in range(_CONFLICTS_MAX):
            try:
                answer = await self._calls.dynamodb(
                    "update_item",
                    TableName=self.name,
                    Key=wire_key(key),
                    ReturnValues="ALL_NEW",
                    **expression("UpdateExpression", change, condition, values),
                )
            except Refused as refused:
                # A transaction under way says nothing about the condition.
                if refused.code != "TransactionConflictException":
                    raise
                await anyio.sleep(random.uniform(0, _CONFLICT_SECONDS * (attempt + 1)))  # noqa: S311 - jitter
            else:
                return decode_item(answer.get("Attributes", {}))
        raise Unavailable("transactions kept an item busy", committed=False)

    async def put(self, item: Item, *, condition: str = "") -> None:
        """Write one item.

        Raises:
            Refused: The *condition* does not hold.
        """
        extra = {"ConditionExpression": condition} if condition else {}
        await self._calls.dynamodb("put_item", TableName=self.name, Item=encode_item(item), **extra)

    async def delete(self, key: Key, *, condition: str = "", **values: Value) -> None:
        """Remove one item, if it is there.

        Raises:
            Refused: The *condition* does not hold.
        """
        await self._calls.dynamodb(
            "delete_item",
            TableName=self.name,
            Key=wire_key(key),
            **expression("", "", condition, values),
        )

    async def transact(self, actions: Sequence[dict[str, object]], token: str) -> None:
        """Carry out *actions* together or not at all; *token* makes a repetition harmless.

        Raises:
            Refused: A condition does not hold, or another transaction has been faster.
        """
        await self._calls.dynamodb(
            "transact_write_items", TransactItems=list(actions), ClientRequestToken=token
        )

    def put_action(self, item: Item, condition: str = "", **values: Value) -> dict[str, object]:
        """Write an item in a transaction."""
        action: dict[str, object] = {"TableName": self.name, "Item": encode_item(item)}
        if condition:
            action |= expression("", "", condition, values)
        return {"Put": action}

    def update_action(
        self, key: Key, change: str, condition: str = "", **values: Value
    ) -> dict[str, object]:
        """Update an item in a transaction."""
        return {
            "Update": {
                "TableName": self.name,
                "Key": wire_key(key),
                **expression("UpdateExpression", change, condition, values),
            }
        }

    def delete_action(self, key: Key, condition: str = "", **values: Value) -> dict[str, object]:
        """Remove an item in a transaction."""
        action: dict[str, object] = {"TableName": self.name, "Key": wire_key(key)}
        return {"Delete": action | expression("", "", condition, values)}

    def check_action(self, key: Key, condition: str) -> dict[str, object]:
        """Let a transaction depend on an item that it does not write."""
        action: dict[str, object] = {"TableName": self.name, "Key": wire_key(key)}
        return {"ConditionCheck": action | expression("", "", condition, {})}


async def _pause(fruitless: int) -> int:
    """Wait before a batch goes on of which nothing was done, so often in a row; return that.

    What was cut at 16 MB goes on at once.

    Raises:
        Unavailable: That was too often.
    """
    if fruitless == _FRUITLESS_MAX:
        raise Unavailable("DynamoDB did nothing of a batch again and again", committed=None)
    await anyio.sleep(_BATCH_PAUSE_SECONDS * fruitless)
    return fruitless


def wire_key(key: Key) -> dict[str, object]:
    """A key as DynamoDB's JSON."""
    return {"pk": encode(key[0]), "sk": encode(key[1])}


def expression(
    kind: str, change: str, condition: str, values: dict[str, Value]
) -> dict[str, object]:
    """The arguments of an expression: every ``#name`` and ``:name`` in it is filled in."""
    made: dict[str, object] = {}
    if change:
        made[kind] = change
    if condition:
        made["ConditionExpression"] = condition
    words = f"{change} {condition}".replace(",", " ").replace("(", " ").replace(")", " ")
    names = {
        part: part[1:] for word in words.split() for part in word.split(".") if part.startswith("#")
    }
    if names:
        made["ExpressionAttributeNames"] = names
    if values:
        made["ExpressionAttributeValues"] = {f":{name}": encode(v) for name, v in values.items()}
    return made
