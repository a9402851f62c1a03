"""Digests as text: templates in Jinja's sandbox, in which whatever came with the data is escaped for where it goes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from anomscan.errors import ConfigError
from anomscan.wording import seen

Escape = Callable[[str], str]


def as_html(text: str) -> str:
    """For a page or a mail.

    >>> as_html("<b>S1</b>")
    '&lt;b&gt;S1&lt;/b&gt;'
    """
    return str(escape(seen(text)))


def as_markdown(text: str) -> str:
    r"""For a chat: as code, in which no link, mark or mention works; nor do those of Slack, which work in code, too.

    >>> as_markdown("S1")
    '`S1`'
    >>> print(ascii(as_markdown("a`b <!everyone> @all")))
    "`a'b \u2039!everyone\u203a @\u200ball`"
    """
    plain = seen(text).replace("`", "'").replace("<", "\u2039").replace(">", "\u203a").replace("@", "@\u200b")
    return f"`{plain or '-'}`"


def as_json(text: str) -> str:
    r"""For the inside of a text in JSON.

    >>> print(as_json('say "S1"'))
    say \"S1\"
    """
    return json.dumps(text)[1:-1]


class Template:
    """A template and what its values are escaped for.

    Parameters
    ----------
    text
        In Jinja's language.
    name
        For errors.

    Raises
    ------
    ConfigError
        If it is not a template.
    """

    def __init__(self, text: str, name: str, escape: Escape) -> None:
        self._name = name

        def finalize(value: Any) -> Any:
            # What is Markup is our own words, or was escaped.
            return Markup(escape(value)) if type(value) is str else value  # noqa: S704

        environment = ImmutableSandboxedEnvironment(
            autoescape=True, finalize=finalize, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["markdown"] = lambda text: Markup(as_markdown(str(text)))  # noqa: S704
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(f"{name} line {error.lineno} is not a template: {error.message}") from None

    @classmethod
    def read(cls, path: Path, escape: Escape) -> Template:
        """The template of a file.

        Raises
        ------
        ConfigError
            If it cannot be read, or is not a template.
        """
        try:
            return cls(path.read_text("utf-8"), str(path), escape)
        except UnicodeDecodeError:
            raise ConfigError(f"the template {path} is not UTF-8 text") from None
        except OSError as error:
            raise ConfigError(f"the template {path} cannot be read: {error.strerror}") from None

    @classmethod
    def own(cls, name: str, escape: Escape) -> Template:
        """One of ours."""
        return cls((files(__package__) / "templates" / name).read_text("utf-8"), name, escape)

    def render(self, digest: Mapping[str, Any], **more: Any) -> str:
        """The text of a digest, as :meth:`Digest.as_json` has it.

        Raises
        ------
        ConfigError
            If the template asks for what there is not, or fails otherwise.
        """
        try:
            text = self._template.render(digest=digest, **more)
        except Exception as error:  # noqa: BLE001, a template may fail in any way that Python may
            raise ConfigError(f"the template {self._name} fails: {error or type(error).__name__}") from None
        return re.sub(r"\n{3,}", "\n\n", str(text)).strip() + "\n"


def text_of(digest: Mapping[str, Any]) -> str:
    """A digest as plain text."""
    return Template.own("digest.txt", seen).render(digest)


def html_of(digest: Mapping[str, Any]) -> str:
    """A digest as a page."""
    return Template.own("digest.html", as_html).render(digest)


def markdown_of(digest: Mapping[str, Any]) -> str:
    """A digest as Markdown, for a chat."""
    return Template.own("digest.md", as_markdown).render(digest)
