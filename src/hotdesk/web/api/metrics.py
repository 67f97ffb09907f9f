"""``/metrics``, for Prometheus."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from hotdesk.web.site import PLAIN, Here

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse, dependencies=PLAIN)
async def metrics(here: Here) -> Response:
    """How everything stands, and what was counted since the start."""
    return Response(await here.metrics.text(), media_type=CONTENT_TYPE_LATEST)
