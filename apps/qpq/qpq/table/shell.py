"""The subcommands of `qpq`, made from the command table: options, help, completion, exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qpq.output import Emitter
from qpq.running import run
from qpq.table.model import Face, Kind, Mistake, Needs
from qpq.table.parsing import finish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qpq.profile import Profile
    from qpq.table.model import Argument, Command

TARGET = "conversation"
TYPES: dict[Kind, click.ParamType[Any]] = {
    Kind.FILE: click.Path(dir_okay=False),
    Kind.FOLDER: click.Path(),
    Kind.SWITCH: click.Choice(["on", "off"]),
}
"""For completion; values are read by `qpq.table.parsing` in every face."""


def add_commands(group: click.Group, table: Iterable[Command]) -> None:
    """Add all commands that a shell has; aliases are hidden from the listing, and work."""
    for command in table:
        if Face.SHELL not in command.faces:
            continue
        made = click_command(command)
        parent, name = _place(group, command.subcommand or command.name)
        parent.add_command(made, name)
        for alias in command.aliases:
            hidden = click_command(command)
            hidden.hidden = True
            group.add_command(hidden, alias)
        if command.subcommand:
            hidden = click_command(command)
            hidden.hidden = True
            group.add_command(hidden, command.name)


def _place(group: click.Group, path: str) -> tuple[click.Group, str]:
    *parents, name = path.split()
    for parent in parents:
        found = group.commands.get(parent)
        if not isinstance(found, click.Group):
            found = click.Group(parent, help=f"{parent.title()}s: qpq {path}.")
            group.add_command(found)
        group = found
    return group, name


class TableCommand(click.Command):
    """One of the table's. An option of `qpq` itself, typed behind it, is told where it belongs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; UsageError."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as no:
            root = ctx.find_root()
            if not any(no.option_name in of.opts for of in root.command.params):
                raise
            where = f"{root.info_name} {no.option_name} ... {ctx.info_name}"
            raise click.UsageError(f"{no.option_name} stands before the command: {where}", ctx) from no


def click_command(command: Command) -> click.Command:
    """Return one command for click."""
    target = [click.Argument([TARGET])] if command.needs is Needs.CONVERSATION else []
    return TableCommand(
        command.name,
        params=[*target, *map(_parameter, command.arguments)],
        help=command.help + ".",
        callback=click.pass_obj(_callback(command)),
        context_settings={"ignore_unknown_options": any(a.kind is Kind.MESSAGE for a in command.arguments)},  # -1
        epilog="\b\n" + "\n".join(f"{a.name}: {a.help}" for a in command.arguments if a.help and not a.option),
    )


def _parameter(argument: Argument) -> click.Parameter:
    name = argument.name.replace("-", "_")
    if argument.option:
        names = [name, "--" + argument.name, *([argument.option] if argument.option != "--" else [])]
        flag = argument.kind is Kind.FLAG
        return click.Option(
            names, is_flag=flag, default=False if flag else None, multiple=argument.collects, help=argument.help, type=None if flag else _type(argument),
            show_default=False, envvar=argument.environment or None,
        )  # fmt: skip
    return click.Argument(
        [name], required=argument.required, nargs=-1 if argument.many else 1, type=_type(argument),
        metavar=argument.shown() if "|" in argument.kind.value and not argument.choices else None,
    )  # fmt: skip


def _type(argument: Argument) -> click.ParamType[Any]:
    return click.Choice(argument.choices) if argument.choices else TYPES.get(argument.kind, click.STRING)


def _callback(command: Command) -> Callable[..., None]:
    def call(profile: Profile, /, **given: Any) -> None:
        raise SystemExit(run(profile, lambda: run_in_shell(profile, command, given)))

    return call


def given_values(command: Command, given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given in a shell by the table's names: words joined to a text, nothing where nothing was said."""
    found: dict[str, Any] = {}
    for argument in command.arguments:
        value = given.get(argument.name.replace("-", "_"))
        if argument.kind is Kind.TEXT and argument.many and value is not None:
            value = " ".join(value)
        if value is not None and value != "" and value != ():
            found[argument.name] = value
    return found


async def run_in_shell(profile: Profile, command: Command, given: dict[str, Any]) -> None:
    """Run a command as the whole of a process."""
    from qpq.here import Here

    values = finish(command, given_values(command, given), slash=False)
    here = Here(profile, Emitter(as_json=profile.json), Face.SHELL)
    if command.needs is Needs.NOTHING:
        await command.call(here, values)
        return
    if command.needs is Needs.FOLDER and values.get("name"):
        profile.username = values["name"]
    async with profile.open(confirm=command.confirm) as client:
        here.client = client
        if command.needs is not Needs.FOLDER:
            _ = client.account  # NotLoggedIn
        if command.fresh:
            await client.sync()
        if command.needs is Needs.CONVERSATION:
            from qpq.commands.naming import find

            target = str(given[TARGET])
            if not target.strip():
                raise Mistake("say which conversation: @person or #group")
            here.conversation = await find(client, target, begin=command.begins)
        await command.call(here, values)
