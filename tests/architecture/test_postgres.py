"""The schemas in PostgreSQL are such that Citus can distribute them: DESIGN's rules, read from the live catalogue and from
every statement's text.

1. Every primary key and unique constraint begins with the column by which its table is distributed; no sequences.
2. Every statement names that column of every table in it, or stands in OVER_ALL with its reason (a sweep, an account's end).
3. A statement over rows that come along names their values once more in Citus' words, and who holds rows holds those of one
   value: Citus asks every node else, or refuses.
4. No statement joins tables of two groups; which transactions go over two groups is watched while the contract tests run
   (tests/contract/conftest.py) and stands in CROSSING with its reason. In delivery there are none.
"""

from __future__ import annotations

import ast
import asyncio
import re
from importlib import import_module
from pathlib import Path

import asyncpg
import pytest

from qpqcore.store.postgres import keyed
from qpqcore.store.postgres.schemas import schema_of, session_settings
from tests.support.postgres import SERVICES

ROOT = Path(__file__).parent.parent.parent
STATEMENTS = {service: import_module(f"qpq{service}.postgres_statements") for service in SERVICES}
VERB = re.compile(r"\s*(?:WITH|SELECT|INSERT|UPDATE|DELETE)\b")
TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING) ([a-z_]+)(?: (?:AS )?([a-z]+)\b)?")
NO_ALIAS = {"where", "set", "on", "join", "order", "for", "limit", "using", "l" * 0}
KEYED = {name: text for name, text in vars(keyed).items() if name.isupper() and isinstance(text, str)}
OF_ALL_ROWS = {
    "STORED_BYTES": "the operator's number: a sum over every blob, every 15 s at most, while somebody scrapes"
}
TOO_WIDE = {"FORGET_OLD": "the sweep"}
SAID_OTHERWISE = {
    "ARE_WAITED_FOR": "Citus correlates no subquery with rows that come along",
    "WEIGH": "none that has a LIMIT, over several shards",
    "BOXES": "the same",
}


def statements_of(service):
    module = STATEMENTS[service]
    own = {
        name: text
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str) and VERB.match(text)
    }
    return own | (KEYED if "keyed" in module.DISTRIBUTED_BY else {})


ALL = [(service, name) for service in SERVICES for name in statements_of(service)]


def tables_in(text, known):
    """Return the tables of a statement with the names that it gives them."""
    found = {}
    for table, alias in TABLE.findall(text):
        if table in known:
            alias = "" if text_is_keyword(alias) else alias
            found.setdefault(table, set()).update({table, alias} - {""})
    return found


def text_is_keyword(word):
    return word.lower() in NO_ALIAS or word.isupper()


def lacking_in(text, known):
    """Return the tables of a statement that it does not narrow to rows of one value, or of listed values, of their column."""
    insert = re.match(r"\s*INSERT INTO ([a-z_]+)(?: AS [a-z]+)? \(([^)]*)\)", text)
    tables = tables_in(text, known)
    bound = {insert[1]} if insert and known[insert[1]] in insert[2].split(", ") else set()
    names = {alias: table for table, aliases in tables.items() for alias in aliases}
    while True:
        more = {
            table
            for table in tables
            if table not in bound and is_bound(text, table, tables[table], known, names, bound)
        }
        if not more:
            return set(tables) - bound
        bound |= more


def is_bound(text, table, aliases, known, names, bound):
    column = known[table]
    prefix = "|".join(rf"\b{alias}\." for alias in sorted(aliases)) + r"|(?<![.\w])"
    for by in re.findall(rf"(?:{prefix}){column} = (\$|ANY\(\$|[a-z]+(?=\.{column}\b))", text):
        if by.startswith(("$", "ANY")) or by not in names or names[by] in bound:
            return True  # a value, values, rows made of values, or a table that is narrowed already
    return False


def groups_of(text, module):
    tables = tables_in(text, module.DISTRIBUTED_BY)
    return {group for group in module.GROUPS if set(group) & set(tables)}


def catalogue(url, query):
    async def run():
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(run())


def test_every_key_begins_with_the_column_that_its_table_is_distributed_by(fresh_postgres):
    keys = catalogue(
        fresh_postgres,
        "SELECT n.nspname, t.relname, a.attname FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
        "JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0] "
        "WHERE i.indisunique AND n.nspname LIKE 'qpq\\_%' AND t.relkind = 'r'",
    )
    assert len(keys) > 20
    for schema, table, first in keys:
        if table != "migrations":
            assert STATEMENTS[schema.removeprefix("qpq_")].DISTRIBUTED_BY[table] == first, (schema, table)


def test_every_table_has_a_key_and_a_place(fresh_postgres):
    tables = catalogue(
        fresh_postgres,
        "SELECT n.nspname, t.relname, EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary) "
        "FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname LIKE 'qpq\\_%' AND t.relkind IN ('r', 'p')",
    )
    found = {(schema.removeprefix("qpq_"), table) for schema, table, _ in tables if table != "migrations"}
    assert all(has_key for _, _, has_key in tables)
    assert found == {(service, table) for service in SERVICES for table in STATEMENTS[service].DISTRIBUTED_BY}
    for module in STATEMENTS.values():
        assert sorted(table for group in module.GROUPS for table in group) == sorted(module.DISTRIBUTED_BY)


def test_there_are_no_sequences_foreign_keys_triggers_or_views(fresh_postgres):
    found = catalogue(
        fresh_postgres,
        "SELECT c.relkind::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname LIKE 'qpq\\_%' AND c.relkind NOT IN ('r', 'i', 't') UNION ALL "
        "SELECT contype::text, conname::text FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace "
        "WHERE n.nspname LIKE 'qpq\\_%' AND contype NOT IN ('p', 'n') UNION ALL "
        "SELECT 'trigger', tgname::text FROM pg_trigger WHERE NOT tgisinternal",
    )
    assert found == []


@pytest.mark.parametrize(("service", "name"), ALL)
def test_a_statement_names_the_column_or_says_why_not(service, name):
    module, text = STATEMENTS[service], statements_of(service)[name]
    tables = tables_in(text, module.DISTRIBUTED_BY)
    assert tables, text
    lacking = lacking_in(text, module.DISTRIBUTED_BY)
    assert bool(lacking) == (name in module.OVER_ALL or name in TOO_WIDE), (text, lacking)


@pytest.mark.parametrize(("service", "name"), ALL)
def test_a_statement_stays_in_one_group(service, name):
    text = statements_of(service)[name]
    assert len(groups_of(text, STATEMENTS[service])) == 1, text


@pytest.mark.parametrize(("service", "name"), ALL)
def test_a_statement_over_rows_that_come_along_tells_citus_of_their_shards(service, name):
    module, text = STATEMENTS[service], statements_of(service)[name]
    joins = (
        "unnest($1" in text and not text.startswith("INSERT") and set(lacking_in(text, module.DISTRIBUTED_BY)) == set()
    )
    told = module.ON_CITUS.get(text, "")
    assert bool(told) == (joins or name in SAID_OTHERWISE), text
    if joins:
        (table,) = {
            t for t in tables_in(text, module.DISTRIBUTED_BY) if f"{module.DISTRIBUTED_BY[t]} = ANY($1)" in told
        }
        alias = next(a for a in tables_in(text, module.DISTRIBUTED_BY)[table] if a != table)
        assert told.replace(f" AND {alias}.{module.DISTRIBUTED_BY[table]} = ANY($1)", "") == text


@pytest.mark.parametrize(("service", "name"), ALL)
def test_over_all_nodes_no_subquery_of_another_row_has_a_limit_or_counts_without_a_group(service, name):
    """Citus: "Limit in subquery is currently unsupported when a subquery references a column from another query"."""
    module, text = STATEMENTS[service], statements_of(service)[name]
    if name in module.OVER_ALL:
        for inner in re.findall(r"\(SELECT [^()]*(?:\([^()]*\)[^()]*)*\)", module.ON_CITUS.get(text, text)):
            own = {alias for _, alias in TABLE.findall(inner)}
            if set(re.findall(r"= ([a-z])\.\w+", inner)) - own:
                assert "LIMIT" not in inner, inner
                assert ("GROUP BY" in inner) == bool(re.search(r"\b(?:count|min|max|sum)\(", inner)), inner


@pytest.mark.parametrize(("service", "name"), ALL)
def test_who_holds_rows_names_one_value(service, name):
    module, text = STATEMENTS[service], statements_of(service)[name]
    if re.search(r"FOR (?:NO KEY )?UPDATE", text):
        (table,) = tables_in(text, module.DISTRIBUTED_BY)
        assert re.search(rf"\b{module.DISTRIBUTED_BY[table]} = \$\d", text), text


@pytest.mark.parametrize("service", SERVICES)
def test_every_statement_is_one_that_the_database_understands_and_answers_by_an_index(
    postgres, fresh_postgres, service
):
    settings = session_settings(schema_of(service))
    found = postgres.sql(
        fresh_postgres.rsplit("/", 1)[1], *(f"SET {name} = '{value}'" for name, value in settings.items()),
        *(
            f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {text}"
            for name, text in statements_of(service).items()
            if name not in OF_ALL_ROWS
        ),
        *(f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {text}" for text in STATEMENTS[service].ON_CITUS.values()),
    )  # fmt: skip
    assert len(found) > len(statements_of(service))
    # The outbox holds what is under way: an index by age would cost each message more than a look at all of it costs a sweep.
    assert [line for line in found if "Seq Scan" in line and "on outbox" not in line] == []


def test_no_statement_stands_anywhere_else():
    for path in [*ROOT.glob("services/*/*/*postgres*.py"), *ROOT.glob("services/*/*/rosters.py")]:
        if path.name == "postgres_statements.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"\s*(?:WITH|SELECT|INSERT INTO|UPDATE|DELETE FROM) ", node.value), (
                    path,
                    node.value,
                )


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("SELECT 1 FROM log WHERE number = $1", True),
        ("SELECT 1 FROM log l JOIN heads h ON h.number = l.number WHERE l.channel = $1", True),
        ("SELECT 1 FROM log l JOIN heads h ON h.channel = l.channel WHERE l.channel = $1", False),
        ("INSERT INTO log (number, hash) VALUES ($1, $2)", True),
    ],
)
def test_the_check_sees_what_it_is_for(text, lacks):
    module = STATEMENTS["delivery"]
    assert bool(lacking_in(text, module.DISTRIBUTED_BY)) is lacks
    crossing = "SELECT 1 FROM log l JOIN entries e ON e.channel = l.channel"
    assert len(groups_of(crossing, module)) == 2
