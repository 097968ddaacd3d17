"""Why a SCIM request is refused (RFC 7644, 3.12)."""

from shared.kernel.errors import CallerError


class ScimRefused(CallerError):
    """A refusal with the `scimType` of RFC 7644, table 9."""

    code = "ScimRefused"

    def __init__(self, scim_type: str, message: str, status: int = 400) -> None:
        """Keep the type and the HTTP status."""
        super().__init__(message)
        self.scim_type = scim_type
        self.status = status


class VersionDiffers(CallerError):
    """The resource is not in a version that If-Match or If-None-Match allows to change (RFC 7644, 3.14)."""

    code, status = "VersionDiffers", 412
