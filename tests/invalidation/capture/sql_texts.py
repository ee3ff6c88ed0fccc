"""Hypothesis strategies for SQL: statements in every spelling that databases accept."""

from __future__ import annotations

from hypothesis import strategies as st

SPACES = st.sampled_from(
    [" ", "\n", "\t ", "  ", " /* why */ ", " -- it's why\n", "/*;*/ ", " \r\n"]
)
SCHEMAS = st.sampled_from(["", "main.", '"main".', "main . "])


def quoted(name: str) -> st.SearchStrategy[str]:
    """Return a strategy for a name: quoted, or unquoted in any case."""
    cases = st.sampled_from([name, name.upper(), name.title()])
    return cases | st.sampled_from([f'"{name}"', f"`{name}`", f"[{name}]"])


@st.composite
def spelled(draw: st.DrawFn, words: list[str]) -> str:
    """Join words with spaces and comments, in any case."""
    text = ""
    for word in words:
        keyword = word.isupper() and word.isalpha()
        shape = draw(st.sampled_from([str.upper, str.lower, str.title])) if keyword else str
        text += shape(word) + (draw(SPACES) if word not in {"", "("} else "")
    return text.strip()


def named(name: str) -> st.SearchStrategy[str]:
    """Return a strategy for a table's name, with or without a schema."""
    return st.tuples(SCHEMAS, quoted(name)).map("".join)


INSERTS = ("", "OR IGNORE", "OR REPLACE", "OR ABORT", "OR FAIL", "OR ROLLBACK")


@st.composite
def writing(draw: st.DrawFn, target: str, read: str) -> str:
    """Return a statement that writes `target` and may read `read`; tables have `id` and `name`."""
    to, other = draw(named(target)), draw(named(read))
    kind = draw(st.sampled_from(["insert", "replace", "update", "delete"]))
    way = draw(st.sampled_from(INSERTS)).split()
    key = str(draw(st.integers(0, 9)))
    if kind in {"insert", "replace"}:
        verb = ["INSERT", *way] if kind == "insert" else ["REPLACE"]
        source = draw(
            st.sampled_from(
                [
                    ["VALUES", f"({key}, 'DELETE FROM {read}')"],
                    ["SELECT", f"id + {key},", "'UPDATE'", "FROM", other, "WHERE", "TRUE"],
                ]
            )
        )
        words = [*verb, "INTO", to, "(id, name)", *source]
        if not way and kind == "insert" and draw(st.booleans()):
            words += ["ON", "CONFLICT", "(id)", "DO", "UPDATE", "SET", "name", "=", "'x'"]
    elif kind == "update":
        chosen = ["id", "IN", "(SELECT", "id", "FROM", other, ")"]
        words = ["UPDATE", *way, to, "SET", "name", "=", "'it''s; DELETE'"]
        words += ["WHERE", *draw(st.sampled_from([["TRUE"], chosen, ["id", "=", key]]))]
    else:
        chosen = ["id", "NOT", "IN", "(SELECT", "id", "FROM", other, ")"]
        words = ["DELETE", "FROM", to, "WHERE"]
        words += draw(st.sampled_from([["TRUE"], chosen, ["id", "=", key]]))
    if draw(st.booleans()):
        words = ["WITH", "some", "AS", "(SELECT", "1", "AS", "one", "FROM", other, ")", *words]
    return draw(SPACES) + draw(spelled(words)) + draw(st.sampled_from(["", ";", " -- end"]))


def postgres_only(name: str) -> st.SearchStrategy[str]:
    """Return a statement on `name` that SQLite does not have."""
    forms = [
        "TRUNCATE {}",
        "TRUNCATE TABLE ONLY other, {} RESTART IDENTITY",
        "TRUNCATE TABLE other *, {} *, third",
        "COPY {} (id, name) FROM STDIN WITH CSV",
        "MERGE INTO {} AS m USING other ON m.id = other.id WHEN MATCHED THEN DELETE",
        "UPDATE ONLY {} AS s SET name = E'it\\'s' FROM other",
        "DELETE FROM ONLY ({}) USING other",
        "WITH gone AS (DELETE FROM {} RETURNING *) SELECT * FROM gone",
        "WITH a AS (SELECT 1), b AS MATERIALIZED (INSERT INTO {} DEFAULT VALUES) SELECT * FROM a",
        "SELECT 1; BEGIN; UPDATE {} SET name = ''; COMMIT",
        "ALTER TABLE IF EXISTS ONLY {} DROP COLUMN name",
        "ALTER TABLE old RENAME TO {}",
        "DROP TABLE IF EXISTS other, {} CASCADE",
        "CREATE TABLE {} AS SELECT * FROM other",
        "CREATE TABLE {} (id, name) AS (WITH a AS (SELECT 1) SELECT * FROM a)",
        "SELECT id, name INTO {} FROM other",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY {}",
        "EXPLAIN (ANALYZE) DELETE FROM {}",
        "ALTER TABLE whole ATTACH PARTITION {} DEFAULT",
    ]
    return st.tuples(st.sampled_from(forms), named(name), SPACES).map(
        lambda made: made[0].format(made[1]).replace(" ", made[2], 1)
    )


READS = [
    "SELECT * FROM shop_shelf",
    "SELECT * FROM shop_shelf FOR UPDATE",
    "SELECT * FROM shop_shelf s FOR UPDATE OF shop_shelf, s SKIP LOCKED",
    "SELECT * FROM shop_shelf FOR NO KEY UPDATE OF shop_shelf",
    "SELECT 'DELETE FROM shop_shelf; UPDATE shop_shelf SET a = 1'",
    "SELECT 'it''s; DELETE FROM shop_shelf' -- DELETE FROM shop_shelf",
    "/* DELETE FROM shop_shelf */ WITH a AS (SELECT 1 FROM shop_shelf) SELECT * FROM a; SELECT 2",
    "DELETE FROM visits WHERE shelf_id IN (SELECT id FROM shop_shelf)",
    "INSERT INTO visits (id) SELECT id FROM shop_shelf",
    "INSERT INTO visits VALUES (1) ON CONFLICT (id) DO UPDATE SET shop_shelf = 1",
    "UPDATE visits SET name = 'shop_shelf' FROM shop_shelf WHERE shop_shelf.id = 1",
    "MERGE INTO visits USING shop_shelf ON TRUE WHEN MATCHED THEN UPDATE SET a = shop_shelf.id",
    "ALTER TABLE visits ADD FOREIGN KEY (a) REFERENCES shop_shelf ON DELETE CASCADE",
    "CREATE TABLE visits (id integer REFERENCES shop_shelf ON UPDATE CASCADE ON DELETE SET NULL)",
    'CREATE TABLE "shop_shelf" ("id" integer, "a" integer GENERATED ALWAYS AS ("id" + 1) STORED)',
    "CREATE INDEX made ON shop_shelf (id)",
    "COPY shop_shelf TO STDOUT",
    "COPY (SELECT * FROM shop_shelf) TO STDOUT",
    "TRUNCATE visits",
    "INSERT INTO shop_shelves SELECT 1 FROM shop_shelf",
    "UPDATE visits SET a = ARRAY[1] WHERE FALSE",
    "SAVEPOINT shop_shelf",
    "ANALYZE shop_shelf",
    "",
    ";",
]

HIDING = [
    "DO $$ BEGIN DELETE FROM shop_shelf; END $$",
    "DO LANGUAGE plpgsql 'BEGIN DELETE FROM shop_shelf; END'",
    "DO $a$ BEGIN EXECUTE 'DELETE' || ' FROM ' || 'shop' || '_shelf'; END $a$",
    "DO $$ BEGIN PERFORM clear_shelves(); END $$",
    "CALL clear_shelves()",
    "PREPARE clear AS DELETE FROM shop_shelf",
    "EXECUTE clear",
    "EXPLAIN ANALYZE EXECUTE clear",
    "CREATE TABLE made AS EXECUTE clear",
    "TRUNCATE other CASCADE",
    "DROP SCHEMA public CASCADE",
    "DROP OWNED BY somebody",
    "/* /* */ DELETE FROM shop_shelf -- */",  # SQLite does not nest comments
    "/* /* */ TRUNCATE other CASCADE -- */",
    "-- a return\rDELETE FROM shop_shelf",  # ends a line in PostgreSQL only
    "UPDATE other SET a = '\\'; DELETE FROM shop_shelf; --'",  # a backslash may escape a quote
    "UPDATE other SET a = '\\', b = '; DELETE FROM shop_shelf; --'",
    'DELETE FROM U&"shop\\005fshelf"',
    "UPDATE other SET a[b'] = 1; DELETE FROM shop_shelf",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM shop_shelf; END",
    "CREATE TRIGGER t AFTER INSERT ON other BEGIN DELETE FROM shop_shelf; END",
    "CREATE RULE r AS ON INSERT TO other DO ALSO DELETE FROM shop_shelf",
    "DELETE FROM 'shop_shelf'",  # a string, but SQLite takes it for a name
    "UPDATE only SET a = 1; DELETE FROM only.shop_shelf",
]
