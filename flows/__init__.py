"""How Prefect runs the procedures: one file a procedure, each reading like its runbook."""

import os

# Before Prefect is imported, whose own 180 s are as long as the automation run-silent waits for the next heartbeat. What a
# worker runs has it from prefect.yaml: there Prefect is imported first.
os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
