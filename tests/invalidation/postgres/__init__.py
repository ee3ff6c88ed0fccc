"""What needs PostgreSQL."""
