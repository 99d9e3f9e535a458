"""Views that are walked through with keys or that change while something runs, drawn in place in the terminal."""
