"""The directories of users and groups."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.provisioning.attributes import GROUP, USER
from shared.provisioning.directory import Directory
from shared.provisioning.store import ResourceStore

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> Mapping[str, Directory]:
    """Return the directory of each kind, by its endpoint."""
    tables = {USER: hub.tables.table("ScimUsers"), GROUP: hub.tables.table("ScimGroups")}
    return {
        kind.endpoint: Directory(kind, ResourceStore(table, hub.tenant, kind), hub.clock, hub.new_id)
        for kind, table in tables.items()
    }
