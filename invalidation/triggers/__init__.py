"""PostgreSQL triggers, which publish the writes of other programs row by row.

`manage.py make_triggers` writes them into a migration. `helpers` is the SQL that all triggers
share, `tables` the SQL of one table's triggers; `spelling` says which columns SQL can spell as
Python does; `operations` is the migration operation; `differences` compares the migrations'
triggers with those that the tracked models need.
"""
