"""The browser's client in Python, part by part as in `realtime/static/realtime/`.

Each module names the file that it follows. Where that one changes, this one has to. What differs:
times are seconds and shortened by `Tools.pace`, so that a short run sees many of them pass.
"""
