"""The app in Microsoft's worker, on an Azurite of its own and a sandbox of partners; once for each transport."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite_process import Azurite
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.hub import Hub
from shared.provision import provision
from tests.component.import_hub import environment
from tests.conformance.functions import TRANSPORTS
from tests.conformance.worker import Worker
from tests.fakes.queues import MemoryQueues

HERE = Path(__file__).parent
HR_WEBHOOK_SECRET = "the secret of the HR system's webhook"
NO_BROKER = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=Root;SharedAccessKey=none;UseDevelopmentEmulator=true;"
"""Nothing listens there: on Service Bus, what is called here sends nothing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is in this folder where Azure's Python is not what runs."""
    if sys.version_info < (3, 13):
        reason = "Microsoft's worker needs Python 3.13: scripts/test_second_python.sh runs this there"
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The partners."""
    with Sandbox(Shape(records=50, employees=5)) as running:
        yield running


@pytest.fixture(scope="session")
def settings(azurite: Azurite, sandbox: Sandbox) -> dict[str, str]:
    """What the hub is told by its environment, as in Azure."""
    given = environment(
        sandbox,
        AzureWebJobsStorage=azurite.connection_string,
        PYTHON_THREADPOOL_THREAD_COUNT="16",
        HR_WEBHOOK_SECRET=HR_WEBHOOK_SECRET,
        HR_BASE_URL=f"{sandbox.url}/hr",
        HR_TOKEN_URL=f"{sandbox.url}/identity/oauth2/v2.0/token",
        HR_CLIENT_ID="hub-hr",
        HR_CLIENT_SECRET="hr-secret",
    )
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **given}


@pytest.fixture(scope="session", params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """What carries messages: each test that asks for it runs once for each."""
    return str(request.param)


@pytest.fixture(scope="session")
def worker(
    transport: str, settings: dict[str, str], hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """The app in the worker."""
    own = {} if transport == "storage" else {"HUB_QUEUES": transport, "ServiceBusConnection": NO_BROKER}
    with Worker(settings | own, tmp_path_factory.mktemp("worker") / "log.txt") as running:
        yield running


@pytest.fixture
def sending_worker(transport: str, worker: Worker) -> Worker:
    """The same where messages can be sent: to storage queues, for on Service Bus nothing listens here."""
    if transport != "storage":
        pytest.skip("it sends messages, and no broker runs here; the component tests of the transport have one")
    return worker


@pytest.fixture(scope="session")
def hub(settings: dict[str, str]) -> Hub:
    """A hub of the test's own on the same storage, to see what became of it; it sends to nobody."""
    hub = Hub(settings, queues=MemoryQueues())
    provision(hub.storage_account)
    return hub


@pytest.fixture(scope="session")
def token(sandbox: Sandbox) -> str:
    """An administrator's access token."""
    import requests

    form = {"grant_type": "client_credentials", "client_id": "admin", "client_secret": "admin-secret"}
    answer = requests.post(f"{sandbox.url}/identity/oauth2/v2.0/token", data=form, timeout=10)
    return str(answer.json()["access_token"])
