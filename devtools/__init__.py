"""What `dev.py` and the tests need around the pack: a host, an environment, a running server. Standard library only."""
