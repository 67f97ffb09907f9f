"""Whether it lives and is ready, and how everything stands."""

from datetime import timedelta
from typing import Literal

import anyio
from fastapi import APIRouter
from pydantic import BaseModel

from hotdesk.errors import Unavailable
from hotdesk.web.site import PLAIN, Here

READY_SECONDS_MAX = 2.0

public = APIRouter(tags=["health"])


class Word(BaseModel):
    """One word for how it is."""

    status: Literal["ok"] = "ok"


@public.get("/livez", dependencies=PLAIN)
async def livez() -> Word:
    """Whether the process answers."""
    return Word()


@public.get("/readyz", dependencies=PLAIN)
async def readyz(here: Here) -> Word:
    """Whether the store answers."""
    with anyio.move_on_after(READY_SECONDS_MAX):
        if here.feed.is_live and not here.feed.is_closed:
            await here.backend.changed(None, wait=timedelta(0))
            return Word()
    raise Unavailable("the store did not answer yet, or this is ending")
