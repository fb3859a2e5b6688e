"""One file a kind of write: how it is rendered, sent, confirmed, and looked up when nobody answered."""
