"""One module per kind of operation: what it renders, sends, looks up and confirms."""
