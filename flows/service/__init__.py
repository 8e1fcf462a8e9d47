"""Prefect's server, one worker and the deployments of this machine: started, left running, stopped.

Nothing here imports Prefect: it is started as processes of its own, asked over its API, and may be broken without breaking
the command that says so. Everything of it is in ``$DEFIB_HOME/prefect``.
"""
