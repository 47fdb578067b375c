"""The API page as it was built holds every public name, and nothing private."""

import re

from test_api import DOCUMENTED, LISTED


def test_every_public_name_stands_on_the_page_and_no_private_one(site):
    html = (site / "book" / "api.html").read_text(encoding="utf-8")
    ids = re.findall(r'<dt class="sig[^"]*" id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(LISTED) <= set(ids)
    assert set(ids) <= set(DOCUMENTED)  # a method that two classes share stands under the first of them
    assert not [name for name in ids if any(part.startswith("_") for part in name.split("."))]
    shared = [name for name in DOCUMENTED if name not in ids]
    assert all(any(DOCUMENTED[name] is DOCUMENTED[other] for other in ids) for name in shared)
    assert ">>>" in re.sub(r"<[^>]+>", "", html).replace("&gt;", ">")
