"""What `manage.py` learns."""
