"""For operators: what processes say of themselves, and what they are told to do.

Comes in: questions, as messages over the backend, so that an answer shows the whole way there and
back. Goes out: reports, metrics, lists of clients and topics. Nothing here keeps state but log
levels that end by a timer.
"""
