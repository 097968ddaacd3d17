"""RES-12: structured lines with the correlation ID of the work that they are about."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from threading import Thread

import pytest

from shared.adapters.logs import correlated, current_correlation_id, set_up_logs

_log = logging.getLogger("tests.logs")


@pytest.fixture
def handler() -> Iterator[logging.StreamHandler[StringIO]]:
    """The worker's handler: on the root logger, without a format."""
    handler = logging.StreamHandler(StringIO())
    logging.getLogger().addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)


def test_a_line_is_json_with_its_fields_and_the_correlation_id(handler: logging.StreamHandler[StringIO]) -> None:
    set_up_logs()
    set_up_logs()
    with correlated("run-1"):
        _log.error("dead letter %s", "l-1", extra={"deadLetterId": "l-1"})
    (line,) = [json.loads(text) for text in handler.stream.getvalue().splitlines()]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "ERROR",
        "logger": "tests.logs",
        "message": "dead letter l-1",
        "correlationId": "run-1",
        "deadLetterId": "l-1",
    }


def test_an_exception_stays_in_its_line(handler: logging.StreamHandler[StringIO]) -> None:
    set_up_logs()
    _log.error("two\nlines", exc_info=ZeroDivisionError())
    (line,) = [json.loads(text) for text in handler.stream.getvalue().splitlines()]
    assert "ZeroDivisionError" in line["exception"]
    assert "correlationId" not in line


def test_work_inside_work_keeps_its_own_correlation_and_other_threads_know_nothing_of_it() -> None:
    seen: list[str] = []
    with correlated("outer"):
        with correlated("inner"):
            seen.append(current_correlation_id())
        seen.append(current_correlation_id())
        thread = Thread(target=lambda: seen.append(current_correlation_id()))
        thread.start()
        thread.join()
    assert [*seen, current_correlation_id()] == ["inner", "outer", "", ""]


def test_a_handler_with_a_format_of_its_own_keeps_it(handler: logging.StreamHandler[StringIO]) -> None:
    own = logging.Formatter("%(correlationId)s: %(message)s")
    handler.setFormatter(own)
    set_up_logs()
    with correlated("run-1"):
        _log.error("hello")
    assert handler.stream.getvalue() == "run-1: hello\n"


def test_the_sdks_are_quiet() -> None:
    set_up_logs()
    assert not logging.getLogger("azure.core.pipeline").isEnabledFor(logging.INFO)
