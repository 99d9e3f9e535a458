"""Trees and tables of merges."""
