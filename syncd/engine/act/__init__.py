"""Act: carry out operations, one request each, and sort what became of them."""
