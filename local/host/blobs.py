"""Blob triggers with Event Grid source: the emulator sends no events, so the containers are watched."""

import json
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from azure.functions.meta import Datum

from local.host.index import IndexedFunction
from local.host.invoke import Invoker
from local.host.queues import encoded

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient

_log = logging.getLogger("host")


class BlobWatcher:
    """Watches one container and calls its function for each version of each blob, at least once."""

    def __init__(
        self,
        function: IndexedFunction,
        connection: str,
        options: Mapping[str, Any],
        invoker: Invoker,
        poll: float,
    ) -> None:
        """Keep everything; `options` are those of host.json, under `extensions.blobs`; look every `poll` seconds."""
        self._function, self._connection, self._invoker, self._poll = function, connection, invoker, poll
        self._tries = int(options.get("poisonBlobThreshold", 5))
        self._container = str(function.options["path"]).split("/")[0]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"blobs {self._container}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present blob."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        from azure.storage.blob import BlobServiceClient

        service = BlobServiceClient.from_connection_string(self._connection)
        while not self._stopping.is_set():
            try:
                self._look(service)
            except Exception as error:  # noqa: BLE001 - the emulator is gone, or a receipt is torn: go on trying
                _log.warning("container %s: %s; trying again", self._container, type(error).__name__)
            self._stopping.wait(self._poll)

    def _look(self, service: "BlobServiceClient") -> None:
        from azure.core.exceptions import ResourceExistsError

        for name in (self._container, "azure-webjobs-hosts"):
            container = service.get_container_client(name)
            if not container.exists():
                try:
                    container.create_container()
                except ResourceExistsError:
                    continue
        delivered = self._delivered(service)
        for blob in service.get_container_client(self._container).list_blobs():
            version = f"{blob.name}|{blob.etag}"
            if version in delivered or self._stopping.is_set():
                continue
            self._deliver(service, blob)
            delivered.add(version)
            self._receipts(service).upload_blob(json.dumps(sorted(delivered)), overwrite=True)

    def _deliver(self, service: "BlobServiceClient", blob: "BlobProperties") -> None:
        client = service.get_blob_client(self._container, blob.name)
        content = client.download_blob().readall()
        properties = {"Length": len(content), "ETag": blob.etag}
        metadata = {
            "BlobTrigger": Datum(f"{self._container}/{blob.name}", "string"),
            "Uri": Datum(json.dumps(client.url), "json"),
            "Properties": Datum(json.dumps(properties), "json"),
            "Metadata": Datum(json.dumps(dict(blob.metadata or {})), "json"),
        }
        for _ in range(self._tries):
            try:
                self._invoker.run(self._function, Datum(content, "bytes"), metadata)
            except Exception:  # noqa: BLE001, S112 - logged by the invoker; tried again, in the end poison
                continue
            return
        poison = {"FunctionId": f"Host.Functions.{self._function.name}", "BlobName": blob.name, "ETag": blob.etag}
        self._poison(json.dumps(poison | {"ContainerName": self._container, "BlobType": "BlockBlob"}))

    def _poison(self, text: str) -> None:
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.queue import QueueClient

        queue = QueueClient.from_connection_string(self._connection, "webjobs-blobtrigger-poison")
        with suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message(encoded(text))

    def _delivered(self, service: "BlobServiceClient") -> set[str]:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return set(json.loads(self._receipts(service).download_blob().readall()))
        except ResourceNotFoundError:
            return set()

    def _receipts(self, service: "BlobServiceClient") -> "BlobClient":
        return service.get_blob_client("azure-webjobs-hosts", f"blobreceipts/local/{self._function.name}.json")
