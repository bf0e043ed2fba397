"""The ledger on disk with real workers: resumed, killed, on a full disk."""
