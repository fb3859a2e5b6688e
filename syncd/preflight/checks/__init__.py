"""The checks of `syncd check`, by what they look at."""
