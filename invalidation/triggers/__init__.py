"""PostgreSQL triggers, by which writes of other programs are told, row by row.

`manage.py make_triggers` puts them into a migration. `helpers` is the SQL that all of them share,
`tables` that of one table, `spelling` says which columns SQL can spell as Python does, `operations`
is what stands in the migrations, and `differences` compares those with what is tracked.
"""
