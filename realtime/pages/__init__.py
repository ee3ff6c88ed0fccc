"""What a project's views and templates use to make a page live.

Comes in: a request, and the topics that its view shows. Goes out: a cursor taken before the view
reads, and the entries of the page's head. The request owns what was watched for it.
"""
