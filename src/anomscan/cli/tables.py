"""Tables as lines of text, which no terminal need break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeGuard

Words = tuple[str, ...]
Column = Sequence[str | Words]

#: Blanks before a line, and between two columns.
_INDENT, _GAP = " ", "  "


def draw(columns: Sequence[str], rows: Sequence[Sequence[str | Words]], width: int) -> Iterator[str]:
    """Draw a table.

    Columns that are empty in all rows are left out. A cell that is one text stays on one line; one of several words
    takes more lines where the width is short. If even that does not fit, each value of the first column has a line of
    its own, above the other columns of its rows.

    Parameters
    ----------
    columns
        Their headers, which may be broken at blanks.
    rows
        A text or its words for each column.
    width
        Of the screen, in characters.

    Yields
    ------
    Lines without line ends, none wider than the screen unless a single row of unbroken texts is.
    """
    heads: list[Words] = [tuple(column.split()) or ("",) for column in columns]
    body: list[Column] = list(zip(*rows, strict=True)) if rows else [() for _ in columns]
    kept = [place for place, column in enumerate(body) if not rows or any(map("".join, column))] or [0]
    table: list[tuple[Words, Column]] = [(heads[place], body[place]) for place in kept]
    least = [max(_widest(head), _widest(_words(column))) for head, column in table]
    full = [max(_cells(" ".join(head)), _widest(_texts(column))) for head, column in table]
    is_stacked = len(kept) > 1 and _total(least) > width
    first = 1 if is_stacked else 0
    widths = _share(least[first:], full[first:], width)
    above: str | None = None
    yield from _row([head for head, _ in table[first:]], widths)
    yield _INDENT + "─" * (_total(widths) - len(_INDENT))
    lines = _lines([column for _, column in table[first:]], widths)
    for row, own in zip(rows, lines, strict=True):
        if is_stacked and (text := _text(row[kept[0]])) != above:
            above = text
            yield _INDENT + above
        yield from own


def _lines(body: Sequence[Column], widths: Sequence[int]) -> Iterator[Iterable[str]]:
    """The lines of each row."""
    if all(map(_is_plain, body)):
        # Of a hundred thousand rows each call counts: whole columns are padded at once.
        padded = (_padded(_texts(column), width) for column, width in zip(body, widths, strict=True))
        return (((_INDENT + _GAP.join(row)).rstrip(),) for row in zip(*padded, strict=True))
    return (_row([_split(cell) for cell in row], widths) for row in zip(*body, strict=True))


def _row(row: Sequence[Words], widths: Sequence[int]) -> Iterator[str]:
    """The lines of one row."""
    broken = [_broken(words, width) for words, width in zip(row, widths, strict=True)]
    for line in range(max(map(len, broken), default=0)):
        texts = [lines[line] if line < len(lines) else "" for lines in broken]
        padded = (text + " " * (width - _cells(text)) for text, width in zip(texts, widths, strict=True))
        yield (_INDENT + _GAP.join(padded)).rstrip()


def _broken(words: Words, width: int) -> list[str]:
    """Words on as few lines as they take."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if _cells(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _total(widths: Sequence[int]) -> int:
    return len(_INDENT) + sum(widths) + len(_GAP) * (len(widths) - 1)


def _share(least: Sequence[int], full: Sequence[int], width: int) -> list[int]:
    """The widths of the columns: what is left of the screen goes to those that want least more."""
    room = max(width - _total(least), 0)
    widths = list(least)
    wanting = sorted(range(len(least)), key=lambda place: full[place] - least[place])
    for done, place in enumerate(wanting):
        more = min(full[place] - least[place], room // (len(wanting) - done))
        widths[place] += more
        room -= more
    return widths


def _split(cell: str | Words) -> Words:
    return (cell,) if isinstance(cell, str) else cell or ("",)


def _text(cell: str | Words) -> str:
    return cell if isinstance(cell, str) else " ".join(cell)


def _is_plain(column: Column) -> TypeGuard[Sequence[str]]:
    return {str}.issuperset(map(type, column))


def _texts(column: Column) -> Sequence[str]:
    return column if _is_plain(column) else [_text(cell) for cell in column]


def _words(column: Column) -> Sequence[str]:
    return column if _is_plain(column) else [word for cell in column for word in _split(cell)]


def _widest(texts: Sequence[str]) -> int:
    return max(map(len if "".join(texts).isascii() else _cells, texts), default=0)


def _padded(texts: Sequence[str], width: int) -> list[str]:
    if "".join(texts).isascii():
        return [text.ljust(width) for text in texts]
    return [text + " " * (width - _cells(text)) for text in texts]


def _cells(text: str) -> int:
    """How many places of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
