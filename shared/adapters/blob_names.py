"""What Azure accepts as the name of a container or queue, and how ETags of blobs are written."""

import re

_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")


def check_container_name(name: str) -> None:
    """Refuse a name that is no container or queue name. ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no container or queue name: 3 to 63 of a-z, 0-9 and single hyphens inside")


def quoted_etag(etag: str) -> str:
    """Return an ETag as HTTP writes it: listings and events leave the quotes out."""
    return '"' + etag.strip('"') + '"'
