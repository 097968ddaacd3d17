"""What every implementation of the blob port does."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.kernel.blob import BlobChanged, BlobContainer, BlobMissing
from tests.contract.conftest import Stores, Unique

PIECE = 4 * 1024 * 1024
OTHER = '"0x1234567890"'


def test_a_missing_container_reads_as_empty(container: BlobContainer) -> None:
    assert container.info("x") is None
    assert list(container.list()) == []
    container.delete("x")
    container.delete("x", etag=OTHER)
    with pytest.raises(BlobMissing):
        container.read("x")
    with pytest.raises(BlobMissing):
        list(container.stream("x"))


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 10, b"y" * PIECE, b"z" * (2 * PIECE + 7)])
def test_bytes_come_back(container: BlobContainer, content: bytes) -> None:
    etag = container.write("folder/name with space & ü.csv", content, content_type="text/csv")
    assert container.read("folder/name with space & ü.csv") == content
    assert container.read("folder/name with space & ü.csv", etag=etag) == content
    info = container.info("folder/name with space & ü.csv")
    assert info
    assert (info.name, info.size, info.etag) == ("folder/name with space & ü.csv", len(content), etag)


@pytest.mark.parametrize(
    "name",
    [
        "Pr\u00e4mien M\u00e4rz 2.csv",
        "100%2F.csv",
        "a%20b+c&d=e.csv",
        "b" * 250 + ".csv",
        "a#b?c.csv",
        "folder/",
        "\U0001f600",
    ],
)
def test_a_name_is_kept_whatever_it_holds(container: BlobContainer, name: str) -> None:
    """INC-09, INC-41: files are named by others."""
    container.write(name, b"content")
    container.copy(f"{name}.copy", container, name)
    assert container.read(f"{name}.copy") == b"content"
    assert [one.name for one in container.list(name)] == [name, f"{name}.copy"]
    info = container.info(name)
    assert info
    assert info.name == name
    container.delete(name, etag=info.etag)
    assert container.info(name) is None


def test_a_blob_says_when_it_was_last_written(container: BlobContainer) -> None:
    container.write("x", b"abc")
    container.write("y", b"")
    info = container.info("x")
    assert info
    assert info.last_modified.tzinfo is UTC
    assert info.last_modified.microsecond == 0
    assert [one.last_modified for one in container.list("x")] == [info.last_modified]
    # Storage's own clock may differ from ours.
    assert abs(datetime.now(UTC) - info.last_modified) < timedelta(minutes=5)
    container.write("x", b"abcd")
    again = container.info("x")
    assert again
    assert again.last_modified >= info.last_modified


def test_a_stream_comes_in_pieces_from_an_offset(container: BlobContainer) -> None:
    content = bytes(range(251)) * 40000
    etag = container.write("x", content)
    pieces = list(container.stream("x", offset=11, etag=etag))
    assert b"".join(pieces) == content[11:]
    assert len(pieces) == 3
    assert max(map(len, pieces)) == PIECE


@pytest.mark.parametrize("offset", [3, 4, 10**9])
def test_a_stream_from_the_end_is_empty(container: BlobContainer, offset: int) -> None:
    container.write("x", b"abc")
    assert list(container.stream("x", offset=offset)) == []


def test_a_stream_never_mixes_versions(container: BlobContainer) -> None:
    container.write("x", b"a" * (PIECE + 1))
    pieces = container.stream("x")
    assert next(pieces) == b"a" * PIECE
    container.write("x", b"b" * (PIECE + 1))
    with pytest.raises(BlobChanged):
        next(pieces)


def test_a_stream_ends_with_an_error_when_the_blob_goes_away(container: BlobContainer) -> None:
    container.write("x", b"a" * (PIECE + 1))
    pieces = container.stream("x")
    next(pieces)
    container.delete("x")
    with pytest.raises((BlobMissing, BlobChanged)):
        next(pieces)


def test_each_write_gives_a_new_etag(container: BlobContainer) -> None:
    first = container.write("x", b"1")
    second = container.write("x", b"1")
    assert first != second
    with pytest.raises(BlobChanged):
        container.read("x", etag=first)
    with pytest.raises(BlobChanged):
        list(container.stream("x", etag=first))
    assert container.read("x", etag=second) == b"1"


def test_an_etag_without_quotes_is_the_same_etag(container: BlobContainer) -> None:
    etag = container.write("x", b"1")
    assert etag.startswith('"')
    assert container.read("x", etag=etag.strip('"')) == b"1"
    container.delete("x", etag=etag.strip('"'))
    assert container.info("x") is None


def test_write_can_refuse_to_overwrite(container: BlobContainer) -> None:
    etag = container.write("x", b"1", overwrite=False)
    with pytest.raises(BlobChanged):
        container.write("x", b"2", overwrite=False)
    assert container.read("x", etag=etag) == b"1"


@pytest.mark.parametrize("content", [b"", b"x", b"z" * (2 * PIECE + 7)], ids=["empty", "one byte", "three pieces"])
def test_a_copy_is_the_version_that_was_named(
    stores: Stores, container: BlobContainer, unique: Unique, content: bytes
) -> None:
    """Also into a container that is not there yet, and over what is there."""
    target = stores.blobs.container(unique("copies"))
    etag = container.write("x", content)
    for _ in range(2):
        target.copy("folder/y", container, "x", etag=etag)
        assert target.read("folder/y") == content
    container.write("x", b"another")
    with pytest.raises(BlobChanged):
        target.copy("folder/y", container, "x", etag=etag)
    with pytest.raises(BlobMissing):
        target.copy("folder/y", container, "missing")
    assert target.read("folder/y") == content
    assert target.info("missing") is None


def test_delete_with_etag_needs_the_same_version(container: BlobContainer) -> None:
    etag = container.write("x", b"1")
    with pytest.raises(BlobChanged):
        container.delete("x", etag=OTHER)
    assert container.read("x") == b"1"
    container.delete("x", etag=etag)
    assert container.info("x") is None
    container.delete("x", etag=etag)


def test_list_gives_name_order_below_a_prefix(container: BlobContainer) -> None:
    etags = {name: container.write(name, name.encode()) for name in ["b/2", "a/1", "b/10", "c", "B/1"]}
    assert [info.name for info in container.list()] == ["B/1", "a/1", "b/10", "b/2", "c"]
    assert [(info.name, info.size, info.etag) for info in container.list("b/")] == [
        ("b/10", 4, etags["b/10"]),
        ("b/2", 3, etags["b/2"]),
    ]


@pytest.mark.parametrize("name", ["", "ab", "Upper", "a--b", "-ab", "ab-", "a_b", "x" * 64])
def test_a_bad_container_name_is_refused(stores: Stores, name: str) -> None:
    with pytest.raises(ValueError, match="container or queue name"):
        stores.blobs.container(name)
