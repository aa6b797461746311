"""Words and numbers as they stand in a figure: signed numbers, names that are broken into lines, ratios."""

import textwrap


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, and never a minus before zero.

    Example:
        >>> signed(-0.1234), signed(-0.001)
        ('−0.12', '0.00')
    """
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if float(text) == 0 else "−")


def plain(name: object) -> str:
    """A name as it is, where dollar signs in it would begin a formula.

    Example:
        >>> plain("$faq$")
        '\\\\$faq\\\\$'
    """
    return str(name).replace("$", r"\$")


def wrapped(name: str, width: int) -> str:
    """A name broken into lines after its hyphens, where it is wider than its place.

    Example:
        >>> wrapped("medquad-retrieval", 12)
        'medquad-\\nretrieval'
    """
    return textwrap.fill(name, width, break_long_words=False)


def pair_label(a: str, b: str, width: int) -> str:
    """Names of a pair, on two lines where one is too narrow.

    Example:
        >>> pair_label("faq", "sts", 12), pair_label("headline-sport", "chat", 12)
        ('faq × sts', 'headline-sport\\n× chat')
    """
    line = f"{a} × {b}"
    return line if len(line) <= width else f"{a}\n× {b}"


def ratio_text(ratio: float) -> str:
    """A ratio of sizes as a reader writes it.

    Example:
        >>> ratio_text(3.0), ratio_text(1.0), ratio_text(1 / 3)
        ('3:1', '1:1', '1:3')
    """
    return f"{ratio:.2g}:1" if ratio >= 1 else f"1:{1 / ratio:.2g}"
