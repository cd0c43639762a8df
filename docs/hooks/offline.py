"""The scripts of the theme without the addresses that they could load from."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

# for diagrams, which no page has, and for browsers older than MathML in Chromium
_LOADED = re.compile(rb"https://unpkg\.com/[^\"']*")


def on_post_build(config: MkDocsConfig) -> None:
    """Raises: PluginError where the theme has changed, so that nothing was found."""
    changed = 0
    for path in Path(config.site_dir, "assets", "javascripts").glob("bundle.*.js"):
        text, count = _LOADED.subn(b"about:blank", path.read_bytes())
        path.write_bytes(text)
        changed += count
    if not changed:
        raise PluginError("no address was found in the scripts of the theme: see docs/hooks/offline.py")
