"""What people do on a screen: a form comes in, a sentence goes out.

The script of the page sends every form with ``method="post"`` itself, with our header. It
shows the sentence and goes to ``to``, or shows the problem in the form's dialog.
"""

from fastapi.responses import JSONResponse


def acted(said: str, *, to: str) -> JSONResponse:
    """Say what was done, and which page of ours shows it."""
    return JSONResponse({"said": said, "to": to})
