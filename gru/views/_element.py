"""A view as HTML. A module that needs nothing else, so that a build of the book can run it without torch."""

import html
import json
from typing import Any


def element(state: dict[str, Any], words: str) -> str:
    """A view as an element of a page, from its synced traits, of which ``_page`` says which there are."""
    page = state["_page"]
    own = json.dumps({name: state[name] for name in page["state"]}, allow_nan=False, separators=(",", ":"))
    # Inside <script> only "<" can end the element or begin a comment, and JSON may write any character as \u....
    own = own.replace("<", "\\u003c")
    return (
        f'<gru-view class="gru-view" data-view="{page["view"]}" data-state="loading" data-widget="{page["number"]}">'
        f'<script type="application/json">{own}</script><p class="gru-fallback">{html.escape(words)}</p></gru-view>'
    )
