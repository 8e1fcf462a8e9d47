"""How Prefect runs the procedures: one file a procedure, each reading like its runbook."""
