"""voila for this machine only: `python -m spkit.explorer.local_server NOTEBOOK`, which takes voila's options.

voila itself answers requests of any host name, so that a page on the web could reach it under a name of its own that
leads to this machine. Each page that is asked for starts a kernel, hence also the token: without it nothing is shown.
"""

from typing import Any

from voila.app import Voila


class LocalVoila(Voila):
    """Answers only to names of this machine."""

    def init_settings(self) -> Any:
        """The settings of its web application."""
        settings: Any = super().init_settings()
        return {**settings, "allow_remote_access": False, "local_hostnames": ["localhost"]}


if __name__ == "__main__":
    LocalVoila.launch_instance()
