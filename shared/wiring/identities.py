"""What the directory of provisioned users adds to what is known of a caller (INC-33, INC-42)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.kernel.identities import Identities, identities_of
from shared.provisioning.attributes import ENTERPRISE_SCHEMA, EXTERNAL_ID, USER, USER_NAME
from shared.provisioning.reading import Resource
from shared.provisioning.store import ResourceStore, Stored

if TYPE_CHECKING:
    from shared.hub import Hub


class ProvisionedUsers:
    """Implements the incentives' port to the directory over what SCIM and Microsoft Graph provisioned."""

    def __init__(self, hub: "Hub") -> None:
        """Keep where users are."""
        self._store = ResourceStore(hub.tables.table("ScimUsers"), hub.tenant, USER)

    def __call__(self, caller: Identities) -> Identities:
        """Return everything that the directory calls somebody; nothing for whom it does not know.

        Most are found by object ID or user name. For the others everybody is read: an address that is no user name has
        no index.
        """
        found = Identities()
        for user in self._by_name(caller):
            found |= identities_of_user(user.resource)
        if found == Identities():
            for user in self._store.all():
                called = identities_of_user(user.resource)
                if caller.share(called):
                    found |= called
        return found

    def _by_name(self, caller: Identities) -> Iterator[Stored]:
        for name in sorted(caller.names):
            yield from self._store.having(EXTERNAL_ID, name)
        for name in sorted(caller.names | caller.addresses):
            yield from self._store.having(USER_NAME, name)


def identities_of_user(user: Resource) -> Identities:
    """Return everything that a provisioned user is called."""
    enterprise = user.get(ENTERPRISE_SCHEMA, {})
    return identities_of(
        addresses=[one.get("value") for one in user.get("emails", [])],
        numbers=[enterprise.get("employeeNumber")],
        names=[user.get(USER_NAME.name), user.get(EXTERNAL_ID.name)],
    )
