"""The steps of a run that another process carries out, as task runs of the flow run that follows it.

They are told as Prefect's own engine tells of task runs, by events, which carry the times at which steps really began and
ended, and for which nobody waits.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from prefect.client.schemas.objects import State, StateType, TaskRun
from prefect.utilities.engine import emit_task_run_state_change_event

from defib import entries


class Tasks:
    """The task runs of one flow run. Their keys are those of the steps, so that a retry tells of the same ones."""

    def __init__(self, flow_run: UUID) -> None:
        self._flow_run = flow_run
        self._times: Counter[str] = Counter()
        self._open: dict[str, TaskRun] = {}

    def begin(self, step: str, at: datetime) -> None:
        """A step has begun."""
        self._times[step] += 1
        pending: State[Any] = State(type=StateType.PENDING, name="Pending", timestamp=at)
        running: State[Any] = State(type=StateType.RUNNING, name="Running", timestamp=at)
        task = TaskRun(
            id=uuid4(),
            name=step,
            flow_run_id=self._flow_run,
            task_key=step,
            dynamic_key=str(self._times[step]),
            run_count=1,
            expected_start_time=at,
            start_time=at,
            state=running,
            state_type=running.type,
            state_name=running.name,
        )
        self._open[step] = task
        emit_task_run_state_change_event(task, pending, running)

    def end(self, ended: entries.StepEnded, at: datetime) -> None:
        """A step is over, however it went; its task run ends in a state named so."""
        task = self._open.pop(ended.step, None)
        if task is None:
            return
        before = task.state
        done = ended.outcome == "done"
        task.state = State(
            type=StateType.COMPLETED if done else StateType.FAILED,
            name="Completed" if done else ended.outcome.title(),
            message=dict(ended.error).get("error", ""),
            timestamp=at,
        )
        task.state_type, task.state_name = task.state.type, task.state.name
        emit_task_run_state_change_event(
            task.model_copy(update={"end_time": at, "total_run_time": ended.took}), before, task.state
        )
