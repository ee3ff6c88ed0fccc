"""Random writes, and the database itself as the oracle of what must be told.

    tables.py        what the rows of each table belong to, said anew and by hand
    snapshot.py      every row, by plain SQL, past everything that the product wraps
    audit.py         triggers that write down which transaction did what to which row
    judging.py       what was told against what became of the rows
    writes/          all the ways to write, one function each
    world.py         the objects that a program of writes has seen, and their going stale
    blocks.py        transactions, savepoints, rollbacks, autocommit off around them
    programs.py      random programs, by Hypothesis or from a seed
    running.py       runs programs, unit by unit, and judges each
    threads.py       runs them in many threads; replay.py judges that from the audit
    evidence.py      what a soak has shown, as docs/reference/soak.json keeps it

Nothing here asks the product what a row's topics are.
"""
