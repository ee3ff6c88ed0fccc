"""Operation of running processes: status, metrics, drain, log levels.

In: calls, as messages over the backend, so that a reply proves that the backend works both ways.
Out: reports, metrics, lists of clients and topics. The only state kept between calls is log levels
with their timers, and the calls answered lately.
"""
