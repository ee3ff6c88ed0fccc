"""The project that a round serves, written as users would: lists of tasks, people, comments."""
