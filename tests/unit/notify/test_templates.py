"""What the e-mails say, whatever the values hold (INC-60)."""

import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from local.mail_preview import SAMPLES, write_previews
from shared.notify.mail_events import MAIL_RULES, Audience
from shared.notify.templates import TEMPLATES, render

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = '<script>alert("1")</script>'


class Elements(HTMLParser):
    """Collects what a browser would see as elements, and as text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(value: object) -> object:
    """Return a value with markup in every text that it holds."""
    if isinstance(value, Mapping):
        return {name: hostile(item) for name, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return f"{value}{SCRIPT}"


def texts_of(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [str(value)]


@pytest.mark.parametrize("template", TEMPLATES)
def test_both_parts_say_every_value(template: str) -> None:
    rendered = render(template, SAMPLES[template])
    html = Elements(rendered.html).text
    for text in texts_of(SAMPLES[template]):
        assert text in rendered.text
        assert text in html
    assert rendered.subject
    assert "<" not in rendered.text.replace("<store S002>", "")


@pytest.mark.parametrize("template", TEMPLATES)
def test_markup_in_a_value_is_text_and_no_element(template: str) -> None:
    values = {name: hostile(value) for name, value in SAMPLES[template].items()}
    rendered = render(template, values)
    page = Elements(rendered.html)
    assert "script" not in page.tags
    assert SCRIPT in page.text
    assert SCRIPT in rendered.text  # the text part is text already


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_value_that_is_missing_is_named(template: str) -> None:
    for name in SAMPLES[template]:
        values = {key: value for key, value in SAMPLES[template].items() if key != name}
        with pytest.raises(ValueError, match=f"e-mail template {template}, .*'{name}' is undefined"):
            render(template, values)


def test_a_rejected_record_without_a_reason_is_an_error() -> None:
    values = dict(SAMPLES["export-summary"]) | {"rejectedRecords": [{"employeeNumber": "E1"}]}
    with pytest.raises(ValueError, match="reason"):
        render("export-summary", values)


def test_umlauts_stay_as_they_are() -> None:
    rendered = render("approval-request", dict(SAMPLES["approval-request"]) | {"submittedBy": "Jörg Größe €"})
    assert "Jörg Größe €" in rendered.text
    assert "Jörg Größe €" in rendered.html


def test_half_a_character_becomes_a_mark() -> None:
    rendered = render("calculation-summary", dict(SAMPLES["calculation-summary"]) | {"firstName": "Z\ud800"})
    assert "Hello Z?," in rendered.text


def test_the_subject_is_one_line_of_bearable_length() -> None:
    title = "Alert\r\nBcc: eve@example.com " + "x" * 500
    subject = render("system-alert", dict(SAMPLES["system-alert"]) | {"title": title}).subject
    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) < 200


def test_nobody_reads_their_pay_in_a_subject() -> None:
    for template in ("calculation-summary", "approval-confirmation", "rejection-notice"):
        assert "1234.50" not in render(template, SAMPLES[template]).subject


@pytest.mark.parametrize("template", ["approval-confirmation", "rejection-notice"])
def test_without_a_reason_none_is_announced(template: str) -> None:
    rendered = render(template, dict(SAMPLES[template]) | {"reason": ""})
    assert "Reason" not in rendered.text + rendered.html
    assert "Remark" not in rendered.text + rendered.html


@pytest.mark.parametrize("name", ["unknown", "../templates/layout", "layout"])
def test_a_template_that_there_is_not(name: str) -> None:
    with pytest.raises(ValueError, match="no e-mail template"):
        render(name, {})


def test_every_event_of_inc_60_has_its_template_and_audience() -> None:
    told = {event: (rule.template, {one.value for one in rule.audiences}) for event, rule in MAIL_RULES.items()}
    assert told == {
        "calculation.completed": ("calculation-summary", {"employee"}),
        "approval.required": ("approval-request", {"approvers"}),
        "approval.approved": ("approval-confirmation", {"employee", "submitter"}),
        "approval.rejected": ("rejection-notice", {"employee", "submitter"}),
        "export.completed": ("export-summary", {"finance"}),
        "system.alert": ("system-alert", {"admins"}),
    }
    assert {rule.template for rule in MAIL_RULES.values()} | {"import-summary"} == set(TEMPLATES)
    assert {one for rule in MAIL_RULES.values() for one in rule.audiences} == set(Audience)


def test_importing_loads_no_template_engine() -> None:
    code = "import sys, shared.notify.delivery, shared.adapters.mail_smtp; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_preview_shows_every_template(tmp_path: Path) -> None:
    index = write_previews(tmp_path / "previews").read_text()
    for template in TEMPLATES:
        assert f'href="{template}.html"' in index
        assert (tmp_path / "previews" / f"{template}.html").read_text().startswith("<!DOCTYPE html>")
        assert (tmp_path / "previews" / f"{template}.txt").read_text().startswith("Subject: ")
