"""`python -m server`: read the settings and run until told to stop."""

from typing import Any

import click

from server.errors import StartupError
from server.settings import ENVIRONMENT_PREFIX, Settings, settings_options
from server.workers.launch import launch


@click.command(
    context_settings={"auto_envvar_prefix": ENVIRONMENT_PREFIX, "max_content_width": 110}
)
@settings_options
def main(**values: Any) -> None:
    """Serve the newest version of each model in the repository over gRPC.

    SIGTERM or SIGINT: health turns NOT_SERVING, calls are served for the drain delay, those in
    progress may end, and the exit code is 0. A second signal cuts the drain delay short. SIGUSR2
    puts new workers in the place of all, one by one; SIGHUP makes them reload.
    """
    settings = Settings(**values)
    try:
        launched = launch(settings)
        # Imported while the workers start, as it takes nearly as long.
        from server.logs import configure_logs
        from server.workers.supervisor import Supervisor

        configure_logs(settings.log_level, settings.log_format)
        Supervisor(launched).run()
    except StartupError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main(prog_name="python -m server")
