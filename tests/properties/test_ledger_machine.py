"""No ticket is lost, none is done twice, every worker is told to stop."""

from __future__ import annotations

from .machine import LedgerMachine

TestLedger = LedgerMachine.TestCase
