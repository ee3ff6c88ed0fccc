"""A process that writes and stops.

python -m tests.realtime.backends.outbox.writer STEP NAME [ALIAS]

It prints "here" when it has reached the step, and stops there. Its steps:

before  written, not committed
after   committed, nothing sent
sent    sent, the row not deleted
end     the process ends as usual, right after the commit
fork    commits, then forks a child that commits too; both end as usual
"""

import ctypes
import os
import signal
import sys
import time

import django

django.setup()

from django.contrib.auth.models import Group  # noqa: E402
from django.db import connections, transaction  # noqa: E402

from realtime import Message, publish  # noqa: E402
from realtime.backends.outbox import flush_relay  # noqa: E402
from tests.contract.socket_backend import SocketPubSub  # noqa: E402

PR_SET_PDEATHSIG = 1
send = SocketPubSub.send


def here() -> None:
    sys.stdout.write("here\n")
    sys.stdout.flush()
    time.sleep(600)


def write(name: str, step: str = "", using: str = "default") -> None:
    with transaction.atomic(using=using):
        if using == "default":
            Group.objects.create(name=name)
        publish([Message("list:5", {"auth.group": {name: "entered"}})], using)
        if step == "before":
            here()


def stop_after(self, messages):
    here()


def stop_sent(self, messages):
    send(self, messages)
    here()


def fork() -> None:
    write("parent")
    assert flush_relay(10)
    connections.close_all()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0
        write("parent again")
    else:
        write("child")


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    step, name, *using = sys.argv[1:]
    if step == "fork":
        fork()
    else:
        SocketPubSub.send = {"after": stop_after, "sent": stop_sent}.get(step, send)
        write(name, step, *using)
        if step != "end":
            time.sleep(600)
