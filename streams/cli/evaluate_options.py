"""The flags that evaluate and tune share beside those of reading: --targets and --set."""

import click

from millstream.streams.errors import BadUsage
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import with_setting

targets_option = click.option(
    "--targets",
    metavar="EXPR",
    help="All rows teach, only matching ones are scored; rows with a value are ratings.",
)
changes_option = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Try a setting."
)


def changed(settings: Settings, changes: tuple[str, ...]) -> Settings:
    """Return settings with every `--set KEY=VALUE` put over them. Raises BadUsage."""
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise BadUsage(f"--set {change}: write KEY=VALUE, such as pairs.width=128")
        settings = with_setting(settings, key.strip(), value.strip(), f"--set {change}")
    return settings
