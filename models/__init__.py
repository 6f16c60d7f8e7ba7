"""The domain, pure: no server, no clock, no globals. Read in the order data meets it."""
