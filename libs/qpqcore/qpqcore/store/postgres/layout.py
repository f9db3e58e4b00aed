"""How a service's tables lie on the nodes of a PostgreSQL that Citus distributes: by which column, which of them together.

What its `postgres_statements` says (DISTRIBUTED_BY, GROUPS, ON_CITUS), for the core, which knows no service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTED = re.compile(r"\b([a-z]+)\.([a-z_]+) = [a-z]+\.\2\b")
"""A table's column that is the same one of rows that come along."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Of a service's tables; one that says nothing is of tables that nobody distributes."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """For each table the column by which it is distributed."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Tables whose rows of one value lie on one node; the first of each speaks for all."""
    on_citus: Mapping[str, str] = field(default_factory=dict)
    """For some statements how they are said on Citus."""

    def first_of(self, table: str) -> str:
        """Return the table that speaks for a table's group."""
        return next(group[0] for group in self.groups if table in group)


def layout_of(service: str) -> Layout:
    """Return the layout that the package of a service carries."""
    said = import_module(f"qpq{service}.postgres_statements")
    return Layout(said.DISTRIBUTED_BY, said.GROUPS, said.ON_CITUS)


def listed(statement: str) -> str:
    """Return a statement over rows of `unnest($1, ...)` that says their first column's values once more, for Citus.

    A join with such rows tells Citus' planner of no shard, so it would ask all of them, on every node; `= ANY($1)` does.
    Plain PostgreSQL would choose its plan by it, and is not told.
    """
    return _LISTED.sub(r"\g<0> AND \1.\2 = ANY($1)", statement, count=1)
