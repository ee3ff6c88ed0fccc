"""Random writes, with the database itself as the oracle of the messages that they must cause.

    tables.py        the topics of each table's rows, declared a second time by hand
    snapshot.py      every row, by plain SQL, outside of all wrapped methods
    audit.py         triggers that log which transaction did what to which row
    judging.py       compares messages with the changes of the rows
    writes/          all the ways to write, one function each
    world.py         the objects that a program of writes has seen, and that go stale
    blocks.py        transactions, savepoints, rollbacks, autocommit off around writes
    programs.py      random programs, by Hypothesis or from a seed
    running.py       runs programs, unit by unit, and judges each
    threads.py       runs them in many threads; replay.py judges that from the audit
    evidence.py      the results of a soak, as docs/reference/soak.json keeps them

No code here asks the product for a row's topics.
"""
