"""Answers by SES: what takes them, and under which Message-ID they travel."""

from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.errors import StoreError, Unavailable
from hotdesk.ports import NotDelivered

# The mail itself is at fault, so that the same again is useless. `MessageRejected` is also
# said of an account that may not send yet, which an operator mends.
_FINAL = "BadRequestException"


class SesCourier:
    """``ports.Courier``: SES in one region, from a domain that is verified there."""

    def __init__(self, calls: Calls, region: str) -> None:
        """Send through *calls*, which talk to *region*."""
        self._calls = calls
        # SES, "Message-ID": its own, which ends otherwise in the oldest region.
        self._domain = f"{'email' if region == 'us-east-1' else region}.amazonses.com"

    async def deliver(
        self, mail: bytes, *, message_id: str, sender: str, recipient: str, hostname: str
    ) -> str:
        """Give one mail to SES, which puts a Message-ID of its own in the place of ours.

        Raises:
            NotDelivered: SES did not take it, or its answer was lost.
        """
        del message_id, hostname
        message = {
            "FromEmailAddress": sender,
            "Destination": {"ToAddresses": [recipient]},
            "Content": {"Raw": {"Data": mail}},
        }
        try:
            answer = await self._calls.call("sesv2", "send_email", message)
        except Refused as error:
            said = error.answer.get("Error", {}).get("Message", "")
            raise NotDelivered(f"{error.code} {said}", is_final=error.code == _FINAL) from error
        except (StoreError, Unavailable) as error:
            raise NotDelivered(str(error), is_final=False) from error
        given = str(answer["MessageId"])
        return f"<{given}>" if "@" in given else f"<{given}@{self._domain}>"
