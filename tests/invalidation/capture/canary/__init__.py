"""Every public method by which Django reads or writes rows, and what is told of those that write.

It fails when a Django has a method that nobody has looked at, or has one no more.
"""
