"""INC-71: a dropped file that the host gave up stands among the dead letters of the inbox that it was dropped into."""

import json

import azure.functions as func
import pytest

from functions.dropped_files import dead_letter_dropped_files
from shared.hub import Hub, replaced_hub
from shared.sales.runs import RunStatus
from tests.fakes.invocation import context
from tests.unit.incentives.world import World as Office
from tests.unit.messaging.post import Post
from tests.unit.sales.world import World

GIVEN_UP = {"FunctionId": "Host.Functions.F", "BlobType": "BlockBlob", "BlobName": "a.csv", "ETag": '"0x8D"'}


@pytest.mark.parametrize(
    ("body", "queue"),
    [
        (json.dumps(GIVEN_UP | {"ContainerName": "erp-inbox"}).encode(), "erp-inbox"),
        (json.dumps(GIVEN_UP | {"ContainerName": "calculations-inbox"}).encode(), "calculations-inbox"),
        (json.dumps(GIVEN_UP | {"ContainerName": "another"}).encode(), "webjobs-blobtrigger-poison"),
        (json.dumps(GIVEN_UP | {"ContainerName": ["erp-inbox"]}).encode(), "webjobs-blobtrigger-poison"),
        (json.dumps(GIVEN_UP).encode(), "webjobs-blobtrigger-poison"),
        (b"[]", "webjobs-blobtrigger-poison"),
        (b"\xff{", "webjobs-blobtrigger-poison"),
    ],
    ids=["sales", "calculations", "another container", "a list", "no container", "no object", "no JSON"],
)
def test_it_is_put_under_the_inbox_that_it_was_dropped_into(body: bytes, queue: str) -> None:
    post, hub = Post(), Hub({})
    world, office = World(), Office()
    hub.__dict__ |= {"messages": post.processor, "sales": world.context, "incentives": office.context}
    with replaced_hub(hub):
        for _ in range(2):
            dead_letter_dropped_files(func.QueueMessage(id="1", body=body), context())
    (letter,) = post.letters.page(size=10, position=None, equal={})[0]
    assert letter["queue"] == queue


@pytest.mark.parametrize("container", ["erp-inbox", "calculations-inbox"])
def test_a_file_at_which_the_worker_died_is_not_left_in_its_inbox(container: str) -> None:
    """INC-09: a failed run in the import log, a report in quarantine; told again, it is done once."""
    post, hub, world, office = Post(), Hub({}), World(), Office()
    hub.__dict__ |= {"messages": post.processor, "sales": world.context, "incentives": office.context}
    service = world.context if container == "erp-inbox" else office.context
    service.inbox.write("a.csv", b"id\n")
    body = json.dumps(GIVEN_UP | {"ContainerName": container}).encode()
    with replaced_hub(hub):
        for _ in range(2):
            dead_letter_dropped_files(func.QueueMessage(id="1", body=body), context())
    assert service.inbox.info("a.csv") is None
    (report,) = [blob.name for blob in service.quarantine.list() if blob.name.endswith("a.csv.report.json")]
    assert "the worker died" in json.loads(service.quarantine.read(report))["reason"]
    if container == "erp-inbox":
        (run,) = world.context.runs.since("00000000-0000-7000-8000-000000000000")
        assert (run.status, run.file_name) == (RunStatus.FAILED, "a.csv")
