"""The SCIM server as a client meets it: the app in the stand-in host, HTTP, tables in Azurite."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from scim2_client import BaseSyncSCIMClient

from local.azurite_process import Azurite
from local.host.host import FunctionsHost
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.hub import Hub, replaced_hub
from tests.component.import_hub import environment
from tests.unit.functions.indexed import indexed_functions

ROOT = Path(__file__).resolve().parents[2]


class ScimClient(BaseSyncSCIMClient):
    """The independent client (`scim2-client`), with `requests` as what carries it."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        """Send a request to a path of the server."""
        return self._session.request(method, self._url + url, timeout=30, **kwargs)

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return endpoint.startswith("/")


@contextmanager
def scim_host(azurite: Azurite, tenant: str) -> Iterator[ScimClient]:
    """Serve the app, and give a client of an administrator."""
    app = SimpleNamespace(get_functions=indexed_functions)
    with Sandbox(Shape(records=1)) as sandbox:
        settings = environment(sandbox, AzureWebJobsStorage=azurite.connection_string, HUB_TENANT=tenant)
        host_json = json.loads((ROOT / "host.json").read_text())
        with (
            replaced_hub(Hub(settings)),
            FunctionsHost(app, host_json, environment=settings, listen=False) as host,
        ):
            yield ScimClient(f"{host.url}/api/v1/scim/v2", sandbox.identity.token("admin"))
