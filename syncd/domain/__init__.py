"""The words of the product as frozen typed values: no I/O and no library but pydantic."""
