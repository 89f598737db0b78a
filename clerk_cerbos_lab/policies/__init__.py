"""What policy files say, read as data; no PDP is needed."""
