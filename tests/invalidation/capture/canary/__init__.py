"""Every public method with which Django reads or writes rows, and the messages of those that write.

The tests fail if Django has a method that is not listed here, or lacks one that is.
"""
