"""How Prefect runs the procedures: one file a procedure, each reading like its runbook."""

import os

# Both before Prefect is imported. Nobody is told what is done here: by default Prefect's client reports each first time.
os.environ.setdefault("DO_NOT_TRACK", "1")
# Prefect's own 180 s are as long as the automation run-silent waits for the next heartbeat. What a worker runs has it from
# prefect.yaml: there Prefect is imported first.
os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
