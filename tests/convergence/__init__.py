"""Kills things, and then compares every client's rows with the database.

A round starts servers, writers and a crowd of clients that behave as the one in the browser does;
a nemesis kills, stops, cuts and delays for a while. Then all is let be, and whatever a client shows
must be what the database has, or nothing where it may not see that, and it must know so. The
product is used from outside alone: settings, the ASGI application, the websocket protocol, pages.

    python -m tests.convergence --seconds 60 --seed 7 --database postgres

    board/       the project that is served: models, topics, rules, pages
    writer.py    a process that writes to it, by writes.py; by sharing.py it takes access away
    imitation/   the browser's client in Python; clients.py, rows_client.py and crowd.py use it
    leaks.py     reads along what clients are told, for what they may not know
    nemesis.py   a seed's plan of faults; faults.py does them to world.py's processes and proxies
    running.py   one round; judging.py and report.py say what came of it
    sabotage.py  what is broken on purpose, to see that it is found

A seed decides the plan, what each writer draws and what each client does; when the machine does
what is not decided, so a round that failed may have to be run more than once to fail again.
"""
