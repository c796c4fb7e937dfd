"""`python -m server`: read the settings and run until told to stop; `health`: ask a running one."""

import sys
from typing import Any

if sys.platform != "linux":
    # Before any other import: some of what those need is missing elsewhere.
    sys.exit(
        "The server runs on Linux only: start its container instead (docs/deploying.md). The "
        "client and the exporter run here as well."
    )

import click

from modelfile.hints import command
from server.errors import StartupError
from server.settings import validation
from server.settings.flags import checked_output, describe, settings_command
from server.settings.settings import Settings
from server.supervisor.launch import launch
from server.system import descriptors


@settings_command
@click.option(
    "--print-config",
    is_flag=True,
    help="Print each setting and where its value comes from, and exit.",
)
@click.pass_context
def main(context: click.Context, /, print_config: bool, **values: Any) -> None:
    """Serve the models of a repository over gRPC: the newest version of each, or those selected.
    The word `health` in place of options asks a running server whether it is ready.

    Versions are loaded as they appear. One that fails its golden examples is not served; the
    previous one stays.

    SIGTERM or SIGINT: health turns NOT_SERVING, calls are served for the drain delay, calls in
    progress are allowed to finish, and the exit code is 0. A second signal cuts the drain delay
    short. SIGHUP: models, certificates and tokens are read again. SIGUSR2: all workers are
    replaced, one by one.
    """
    settings = Settings(**values)
    try:
        validation.check(settings)
        if print_config:
            with checked_output():
                click.echo("\n".join(describe(context, settings)).rstrip())
            return
        launched = launch(settings)
        # Imported while the workers start, as it takes nearly as long.
        from server.logs.setup import configure_logs
        from server.supervisor.supervisor import Supervisor

        configure_logs(settings.log_level, settings.log_format)
        Supervisor(launched).run()
    except StartupError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    descriptors.occupy()
    if sys.argv[1:2] == ["health"]:
        # Imported here, as the server's parent needs none of it.
        from server.health import health_command

        health_command(sys.argv[2:], prog_name=command("server health"))
    main(prog_name=command("server"))
