"""Lessons in the terminal: text, worked arithmetic, matrices, tables and curves."""
