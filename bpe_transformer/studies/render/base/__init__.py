"""Pictures that several studies share."""
