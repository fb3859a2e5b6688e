"""The checks of `syncd check`, one file for each subject."""
