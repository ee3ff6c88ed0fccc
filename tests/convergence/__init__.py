"""Kill processes and cut connections, then compare every client's rows with the database.

A round starts servers, writers and a crowd of clients: the shipped JavaScript client, under Node.
For a while, a nemesis kills and stops processes, and cuts and delays connections. Then faults and
writes end, and each client must show the rows that the database has. Of a topic that its user may
not see it must show no row, and know that it is denied. The harness uses only the product's public
parts: settings, the ASGI application, the websocket protocol, pages, the client's functions and
elements.

    python -m tests.convergence --seconds 60 --seed 7 --database postgres

    board/       the project that is served: models, topics, rules, pages
    writer.py    a process that writes to it: rows by writes.py, access by sharing.py
    node/        the clients' process: scripts, pages in jsdom, and an observer of each connection
    crowd.py     decides which topics each client shows; node_crowd.py talks to that process
    nemesis.py   a seed's plan of faults; faults.py applies them to world.py's processes and proxies
    running.py   one round; judging.py compares, report.py has the results
    sabotage.py  breaks the server or the client on purpose, to see that the judge finds it

A seed decides the plan, the writes and the actions of each client. It does not decide their timing
on the machine, so a failed round may have to be run more than once to fail again.
"""
