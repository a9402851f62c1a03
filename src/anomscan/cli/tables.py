"""Tables as lines of text, which no terminal need break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Words = tuple[str, ...]

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
    cells: list[list[Words]] = [[(cell,) if isinstance(cell, str) else cell or ("",) for cell in row] for row in rows]
    kept = [place for place in range(len(heads)) if not cells or any("".join(row[place]) for row in cells)]
    table = [[row[place] for place in kept] for row in (heads, *cells)]
    least = [max(map(_cells, (word for row in table for word in row[place]))) for place in range(len(kept))]
    full = [max(_cells(" ".join(row[place])) for row in table) for place in range(len(kept))]
    is_stacked = len(kept) > 1 and _total(least) > width
    first = 1 if is_stacked else 0
    widths = _share(least[first:], full[first:], width)
    above: Words | None = None
    yield from _row(table[0][first:], widths)
    yield _INDENT + "─" * (_total(widths) - len(_INDENT))
    for row in table[1:]:
        if is_stacked and row[0] != above:
            above = row[0]
            yield _INDENT + " ".join(above)
        yield from _row(row[first:], widths)


def _row(row: Sequence[Words], widths: Sequence[int]) -> Iterator[str]:
    """The lines of one row."""
    if all(len(words) == 1 for words in row):
        pairs = zip(row, widths, strict=True)
        yield (_INDENT + _GAP.join([words[0] + " " * (width - _cells(words[0])) for words, width in pairs])).rstrip()
        return
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


def _cells(text: str) -> int:
    """How many places of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
