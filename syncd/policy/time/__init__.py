"""Working days, quiet hours, and moments in words."""
