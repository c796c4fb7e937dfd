"""`python -m server`: read the settings and run until told to stop."""

from typing import Any

import click

from server.app import Server
from server.errors import StartupError
from server.logs import configure_logs
from server.settings import ENVIRONMENT_PREFIX, Settings, settings_options


@click.command(
    context_settings={"auto_envvar_prefix": ENVIRONMENT_PREFIX, "max_content_width": 110}
)
@settings_options
def main(**values: Any) -> None:
    """Serve the models of the repository over gRPC: the newest version of each, or those wanted.

    Versions are loaded as they appear, and on SIGHUP. One that fails its golden examples replaces
    nothing.

    SIGTERM or SIGINT: health turns NOT_SERVING, calls are served for the drain delay, those in
    progress may end, and the exit code is 0. A second signal cuts the drain delay short.
    """
    settings = Settings(**values)
    configure_logs(settings.log_level, settings.log_format)
    try:
        Server(settings).run()
    except StartupError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main(prog_name="python -m server")
