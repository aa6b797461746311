"""voila for this machine only: `python -m spkit.explorer.local_server NOTEBOOK`, which takes voila's options.

voila itself answers requests of any host name, so that a page on the web could reach it under a name of its own that
leads to this machine. Each page that is asked for starts a kernel, hence also the token: without it nothing is shown.
"""

from typing import Any

from voila.app import Voila

#: voila's template asks a content network for fonts: the browser is told to ask nobody but this machine.
_POLICY = "; ".join(
    (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        "connect-src 'self' ws://localhost:* ws://127.0.0.1:* data: blob:",
        "frame-ancestors 'self'",
    )
)


class LocalVoila(Voila):
    """Answers only to names of this machine."""

    def init_settings(self) -> Any:
        """The settings of its web application."""
        settings: Any = super().init_settings()
        headers = {**settings.get("headers", {}), "Content-Security-Policy": _POLICY}
        return {**settings, "headers": headers, "allow_remote_access": False, "local_hostnames": ["localhost"]}


if __name__ == "__main__":
    LocalVoila.launch_instance()
