"""The page that shows the API's own description, with Swagger UI served from our own origin.

Nothing on it is inline and nothing comes from another host; the policy below holds the browser to that.
"""

from functools import lru_cache
from html import escape
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse, Response

from soloist.infra.assets import URL, asset

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = Path(__file__).resolve().parent.parent / "templates" / "apidocs.html"


def docs_page(openapi_url: str, title: str) -> Response:
    """Every operation of the description at `openapi_url`, to read and to try with a token of one's own."""
    return HTMLResponse(_page(openapi_url, title), headers={"Content-Security-Policy": POLICY})


@lru_cache
def _page(openapi_url: str, title: str) -> str:
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        openapi_url=escape(openapi_url),
        icon=asset("swagger-ui.png"),
        library_style=asset("swagger-ui.css"),
        library=asset("swagger-ui.js"),
        style=f"{URL}/apidocs.css",
        script=f"{URL}/apidocs.js",
    )
