"""Rich pictures of the studies: one module for each module of data, of the same name."""
