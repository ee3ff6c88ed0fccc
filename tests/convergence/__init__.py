"""Kills things, and then compares every client's rows with the database.

A round starts servers, writers and a crowd of clients: the shipped JavaScript client, under Node.
A nemesis kills, stops, cuts and delays for a while. Then the faults and the writes end, and each
client must show what the database has. Where its user may not see a topic, it must show no row of
it, and know that it is denied. The product is used from outside alone: settings, the ASGI
application, the websocket protocol, pages, the client's public functions and elements.

    python -m tests.convergence --seconds 60 --seed 7 --database postgres

    board/       the project that is served: models, topics, rules, pages
    writer.py    a process that writes to it, by writes.py; by sharing.py it takes access away
    node/        the clients' process: scripts, pages in jsdom, and what reads along on each wire
    crowd.py     decides what each client shows; node_crowd.py asks that process
    nemesis.py   a seed's plan of faults; faults.py does them to world.py's processes and proxies
    running.py   one round; judging.py and report.py say what came of it
    sabotage.py  breaks the server or the client on purpose, to see that the judge finds it

A seed decides the plan, what each writer draws and what each client does. It does not decide when
the machine does what, so a round that failed may have to be run more than once to fail again.
"""
