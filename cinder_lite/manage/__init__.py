"""The groups of cinder-lite-manage's commands: what they share."""

OK, VIOLATED, REFUSED = 0, 1, 2


class Failed(Exception):
    """The command cannot be carried out; the text says why and what would help."""


def table(head, rows):
    """Print rows under a head, in columns."""
    rows = [head, *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def sentence(text):
    return text[:1].upper() + text[1:] + "."


def counted(number, noun):
    """A number with its noun, such as "1 job" or "2 jobs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
