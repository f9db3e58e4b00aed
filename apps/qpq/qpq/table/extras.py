"""Subcommands about the command line itself: completion and man."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: eval "$(qpq completion bash)"."""
    from click.shell_completion import get_completion_class

    kind, root = get_completion_class(shell), context.find_root()
    assert kind is not None
    click.echo(kind(root.command, {}, "qpq", "_QPQ_COMPLETE").source())


@click.command()
@click.option("--markdown", is_flag=True, help="The book's page instead.")
def man(markdown: bool) -> None:
    """Print the manual's page: qpq man | man -l -."""
    from qpq.main import VERSION
    from qpq.table import manual

    click.echo(manual.markdown() if markdown else manual.roff(VERSION), nl=False)
