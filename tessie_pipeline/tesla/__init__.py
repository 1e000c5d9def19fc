"""The Fleet API over httpx: authentication, the client and the decoding of its answers."""
