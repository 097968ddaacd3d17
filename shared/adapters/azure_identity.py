"""Who the hub is towards Azure's own services: its managed identity, or a developer's login on a laptop (INC-32)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def azure_credential(client_id: str = "") -> "TokenCredential":
    """Return the credential; `client_id` names a user-assigned identity. The SDK loads when this is first called."""
    from azure.identity import DefaultAzureCredential

    if client_id:
        return DefaultAzureCredential(managed_identity_client_id=client_id)
    return DefaultAzureCredential()
