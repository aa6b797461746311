"""The explorer as one file without a server: its page computes in the browser what the surrogate knows."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["check_page", "save_html"]

__getattr__ = loaded_on_use(__name__, {"check_page": "destination", "save_html": "writing"})

if TYPE_CHECKING:
    from spkit.explorer.standalone.destination import check_page as check_page
    from spkit.explorer.standalone.writing import save_html as save_html
