"""Names of tasks and models as plain text in Markdown: whoever chose them chooses no markup, and runs no script."""

#: What Markdown, or the HTML inside of it, would take for markup.
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": r"\|", "](": r"]\(", "\n": " ", "\r": " "}


def in_markdown(text: object) -> str:
    """A text without tags and links, in one line, also in a cell of a table; `code` and *stress* stay.

    Example:
        >>> in_markdown("faq")
        'faq'
        >>> in_markdown("<script>|")
        '&lt;script&gt;\\\\|'
    """
    shown = str(text)
    for markup, plain in _MARKUP.items():
        shown = shown.replace(markup, plain)
    return shown
