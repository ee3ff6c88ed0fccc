"""Live pages: the functions and tags that a project's views and templates use.

In: a request, and the topics that its view shows. Out: a cursor taken before the view reads, and
the entries of the page's head. The request owns the list of its watched topics.
"""
