"""A project as its users would write one: lists of tasks, people, comments. Served and judged."""
