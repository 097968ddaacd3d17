"""INC-71: a dropped file that the host gave up stands among the dead letters of the inbox that it was dropped into."""

import json

import azure.functions as func
import pytest

from functions.dropped_files import dead_letter_dropped_files
from shared.hub import Hub, replaced_hub
from tests.fakes.invocation import context
from tests.unit.messaging.post import Post

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
    hub.__dict__["messages"] = post.processor
    with replaced_hub(hub):
        dead_letter_dropped_files(func.QueueMessage(id="1", body=body), context())
    (letter,) = post.letters.page(size=10, position=None, equal={})[0]
    assert letter["queue"] == queue
