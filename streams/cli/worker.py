"""`millstream worker`: turns events into lists, keeps the item model, keeps the catalogue."""

import sys

import click

from millstream.streams.cli.options import settings_options, stderr
from millstream.streams.logs import configure_logging
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import with_setting
from millstream.streams.worker import WORKERS, WorkerName, run_all, run_worker


@click.command()
@click.argument("name", type=click.Choice([*WORKERS, "all"]), metavar="recommend|learn|encode|all")
@click.option(
    "--metrics-port",
    metavar="PORT",
    help="Of /metrics and health; default: first free. With `all` the two behind it too.",
)
@click.option(
    "--reject-policy",
    type=click.Choice(["stop", "alarm"]),
    help="What too many rejected records do; alarm goes on and only counts them.",
)
@click.option("--log-level", default="INFO", show_default=True, help="DEBUG to ERROR.")
@settings_options
def command(
    settings: Settings,
    name: str,
    metrics_port: str | None,
    reject_policy: str | None,
    log_level: str,
) -> int:
    """Run a worker until Ctrl-C or SIGTERM. `all` runs one process of each.

    Start as many of each as you like, anywhere: Kafka's groups share out the work.

    \b
    Example:
      millstream worker recommend --metrics-port 9101
      millstream worker all
    """
    configure_logging(log_level)
    if metrics_port is not None:
        settings = with_setting(settings, "metrics.port", metrics_port, "--metrics-port")
    if reject_policy is not None:
        settings = with_setting(settings, "worker.reject_policy", reject_policy, "--reject-policy")
    if name == "all":
        given = [argument for argument in _after_command(sys.argv) if argument != "all"]
        ports = _ports(settings.metrics.port)
        return run_all({w: ["worker", w, *given, *ports[w]] for w in WORKERS})
    worker: WorkerName = next(w for w in WORKERS if w == name)
    return run_worker(settings, worker, lambda sentence: stderr.print(sentence, markup=False))


def _ports(first: int) -> dict[WorkerName, list[str]]:
    """Return the flags that give each worker a port of its own: the first, and those behind it."""
    if not first:
        return {worker: [] for worker in WORKERS}
    return {worker: ["--metrics-port", str(first + n)] for n, worker in enumerate(WORKERS)}


def _after_command(argv: list[str]) -> list[str]:
    """Return the arguments behind the word `worker`: the parts are started with the same."""
    return argv[argv.index("worker") + 1 :]
