"""Templates become pages. Everything that they show is escaped."""

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hotdesk.web import wording
from hotdesk.web.access import Caller, Role
from hotdesk.web.assets import Assets
from hotdesk.web.records import DeskRecord
from hotdesk.web.screens.screen import View

PARTS = "parts.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of a screen is pushed again: its title, its head and what is live below it."""

    title: str
    html: str


class Renderer:
    """The templates of the dashboard."""

    def __init__(self, assets: Assets) -> None:
        """*assets* gives the addresses of style and script."""
        self._templates = Environment(
            loader=PackageLoader("hotdesk.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(
            headline=wording.headline,
            spelled=wording.spelled,
            instant=wording.instant,
            in_utc=wording.in_utc,
            counted=wording.counted,
            desk_state=lambda desk: DeskRecord.of(desk).state,
        )
        self._templates.globals.update(
            version=version("hotdesk"), asset=assets.url, styles=assets.styles()
        )
        self._templates.globals["parts"] = self._templates.get_template(PARTS).module

    def shown(self, template: str, view: View, role: Role, now: datetime) -> Shown:
        """Render what is pushed, for everybody of *role*."""
        found = self._templates.get_template(template)
        context = found.new_context(
            {
                "view": view,
                "now": now,
                "caller": Caller(name="", role=role),
                "can_act": role is Role.OPERATOR,
            }
        )
        head, live = ("".join(found.blocks[name](context)) for name in ("head", "live"))
        return Shown(title=view.title, html=f'<div class="head">{head}</div>{live}')

    def part(self, template: str, **known: object) -> str:
        """Render a piece of a page."""
        return self._templates.get_template(template).render(known)

    def page(
        self,
        shown: Shown,
        *,
        nav: str,
        caller: Caller | None,
        stream: str = "",
        seen: str = "",
        dead: str = "",
    ) -> str:
        """Put what is *shown* into the frame, for *caller*, if one is known.

        *nav* is the entry of the navigation that is marked. *stream* is where more comes from
        and *seen* names what is shown; *dead* counts the dead letters.
        """
        return self.part(
            "frame.html",
            title=shown.title,
            shown=Markup(shown.html),  # noqa: S704 - our own templates escape
            nav=nav,
            caller=caller,
            stream=stream,
            seen=seen,
            dead=dead,
        )
