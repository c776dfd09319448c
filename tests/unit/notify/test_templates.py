"""Templates: what may be written, reached and come out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from services.notify.domain import catalogue, templates
from services.notify.domain.templates import Source, UnfitTemplate

FOLDER = Path(catalogue.__file__).parents[1] / "templates"
MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{}"
    '<a href="{{{{ unsubscribe_url }}}}">out</a></mj-text></mj-column></mj-section>'
    "</mj-body></mjml>"
)


def source(html: str = "Hello", **parts: str) -> Source:
    plain = Source(
        subject="Hello",
        mjml=MJML.format(html),
        text="Hello {{ unsubscribe_url }}",
        inbox_title="Hello",
        inbox_text="Hello",
    )
    return replace(plain, **parts)


def rendered(made: Source, **changes: Any) -> tuple[str, str, str]:
    values: Mapping[str, Any] = catalogue.sample_values() | changes
    return templates.render_mail(templates.compile_source(made), values)


ATTACKS = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ member.__class__ }}",
    "{{ member['__class__'] }}",
    "{{ self }}{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ config }}",
    "{{ request.application.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ ()|attr('__class__') }}",
    "{{ 'a'|attr('__class__') }}",
    "{{ member|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ [].append(1) }}",
    "{{ offers.clear() }}",
    "{{ offers.append(1) }}",
    "{{ '%1000000000s'|format('a') }}",
    "{{ '{0.__class__}'.format(member) }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'a' ~ 'b' }}",
    "{{ offers|map(attribute='__class__')|list }}",
    "{{ member|tojson }}",
    "{{ member.first_name|safe }}",
    "{% for i in range(100000000) %}x{% endfor %}",
    "{% for i in [1, 2, 3] %}x{% endfor %}",
    "{% for a in offers %}" * 3 + "x" + "{% endfor %}" * 3,
    "{% set x = offers %}{{ x }}",
    "{% set x %}{{ offers }}{% endset %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'base' %}",
    "{% with a = offers %}{{ a }}{% endwith %}",
    "{% filter upper %}x{% endfilter %}",
    "{% autoescape false %}{{ member.first_name }}{% endautoescape %}",
    "{% call m() %}{% endcall %}",
    "{% block b %}{% endblock %}",
    "{{ offers[0:2] }}",
    "{{ member.first_name if member is defined }}",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("part", ["text", "subject"])
def test_what_a_template_has_no_need_for_is_refused_when_saved(attack: str, part: str) -> None:
    text = attack + ("" if part == "subject" else "{{ unsubscribe_url }}")
    with pytest.raises(UnfitTemplate) as refused:
        rendered(source(**{part: text}))
    assert refused.value.part == part


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_template_has_no_need_for_is_refused_in_its_layout(attack: str) -> None:
    with pytest.raises(UnfitTemplate):
        rendered(source(attack))


def test_unknown_names_and_broken_syntax_are_refused_with_the_part() -> None:
    for text in ("{{ member.shoe_size }}", "{{ nobody }}", "{% if %}", "{{ 'a' | nofilter }}"):
        with pytest.raises(UnfitTemplate) as refused:
            rendered(source(text=text + "{{ unsubscribe_url }}"))
        assert refused.value.part == "text"


def test_files_can_not_be_included_by_the_layout() -> None:
    with pytest.raises(UnfitTemplate):
        templates.compile_source(
            source(mjml='<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>')
        )


def test_values_are_escaped_in_html_and_left_alone_in_text() -> None:
    made = source("{{ member.first_name }}", text="{{ member.first_name }} {{ unsubscribe_url }}")
    _, html, text = rendered(made, member={"first_name": "<b>&Ada", "name": ""})
    assert "&lt;b&gt;&amp;Ada" in html
    assert text.startswith("<b>&Ada ")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00", "\u2028", "\x0b"])
def test_a_value_can_not_begin_another_header(end: str) -> None:
    name = f"Ada{end}Bcc: eve@example.org"
    subject, _, _ = rendered(
        source(subject="Hi {{ member.first_name }}"), member={"first_name": name, "name": name}
    )
    assert subject == "Hi Ada Bcc: eve@example.org"


def test_a_subject_of_two_lines_is_refused() -> None:
    with pytest.raises(UnfitTemplate):
        templates.compile_source(source(subject="Hello\r\nBcc: eve@example.org"))


def test_a_marketing_mail_without_a_way_out_is_refused() -> None:
    with pytest.raises(UnfitTemplate):
        templates.compile_source(source(text="no way out"))


def test_the_slowest_template_that_can_be_saved_ends_soon() -> None:
    nested = "{% for a in offers %}{% for b in offers %}{% endfor %}{% endfor %}"
    slow = source(text=nested * 5 + "{{ unsubscribe_url }}")
    offers = catalogue.sample_values()["offers"] * (templates.ITEMS_MAX // 2)
    started = perf_counter()
    rendered(slow, offers=offers)
    assert perf_counter() - started < 0.3


def test_too_much_output_is_cut_off() -> None:
    loud = source(
        text="{% for a in offers %}{% for b in offers %}"
        + "x" * 1_000
        + "{{ a.title }}{% endfor %}{% endfor %}{{ unsubscribe_url }}"
    )
    offers = catalogue.sample_values()["offers"] * (templates.ITEMS_MAX // 2)
    with pytest.raises(UnfitTemplate, match="characters"):
        rendered(loud, offers=offers)


def test_shipped_templates_compile_and_show_everything() -> None:
    shipped = catalogue.compile_shipped(lambda name: (FOLDER / name).read_text("utf-8"))
    subject, html, text = templates.render_mail(
        shipped["offers_digest"].compiled, catalogue.sample_values()
    )
    assert subject == "2 offers picked for you"
    for part in (html, text):
        for shown in ("20% off bananas", "about every 9 days", "29 November 2026"):
            assert shown in part
        assert "https://example.org/u/preview" in part
    # Nothing is loaded from elsewhere: no fonts, no pixels.
    assert "<img" not in html
    assert "googleapis" not in html
