"""The values that every part of syncd shares: frozen, typed, without I/O; pydantic is the only library."""
