"""What is kept of an open run for the app's own functions, where a handler has any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runwood.hooks.finished import FinishedRun, ModelCall
from runwood.recording.dotted_order import format_time

if TYPE_CHECKING:
    from runwood.recording.run import OpenRun

RunEnd = Callable[[FinishedRun], Any]


class Record:
    """One run's: it has the fields that the recorder has let go of, and the usage of the runs below."""

    __slots__ = ("calls", "functions", "given", "handed_up", "is_told")

    def __init__(self, functions: tuple[RunEnd, ...], fields: dict[str, Any]) -> None:
        extra = fields.get("extra") or {}
        self.functions = functions
        self.given = {
            "inputs": fields.get("inputs"),
            "metadata": extra.get("metadata"),
            "invocation_params": extra.get("invocation_params"),
        }
        self.calls: list[
            ModelCall
        ] = []  # of this run and of those below it, in the order of their ends
        self.handed_up = 0
        self.is_told = False

    def finish(
        self, run: OpenRun, status: str, body: dict[str, Any], above: Record | None
    ) -> FinishedRun:
        """Return the finished run, and add its usage to that of the run above it."""
        metadata = {
            **(self.given["metadata"] or {}),
            **((body.get("extra") or {}).get("metadata") or {}),
        }
        usage = metadata.pop("usage_metadata", None)
        own_call = None
        start_time = datetime.fromisoformat(body["start_time"])
        if usage:
            own_call = ModelCall(*self._model(metadata, body.get("outputs")), usage, start_time)
            self.calls.append(own_call)
        if above is not None:
            above.calls.extend(self.calls[self.handed_up :])
            self.handed_up = len(self.calls)
        is_correction, self.is_told = self.is_told, True
        return FinishedRun(
            id=body["id"],
            trace_id=body["trace_id"],
            parent_run_id=body.get("parent_run_id"),
            name=run.name,
            run_type=run.run_type,
            project=run.project,
            status=status,
            start_time=start_time,
            end_time=datetime.fromisoformat(body["events"][-1]["time"]),
            first_token_time=None
            if run.first_token is None
            else datetime.fromisoformat(format_time(run.first_token)),
            error=body.get("error"),
            tags=tuple(run.tags),
            is_correction=is_correction,
            own_call=own_call,
            all_calls=tuple(self.calls),
            _recorded={
                "inputs": body.get("inputs") or self.given["inputs"],
                "outputs": body.get("outputs"),
                "metadata": metadata,
            },
        )

    def _model(self, metadata: dict[str, Any], outputs: Any) -> tuple[str | None, str | None]:
        """Return the model and the provider, from where the server reads them too."""
        parameters = self.given["invocation_params"] or {}
        answer = _response_metadata(outputs)
        model = (
            metadata.get("ls_model_name")
            or parameters.get("model")
            or parameters.get("model_name")
            or answer.get("model_name")
            or answer.get("model")
        )
        provider = metadata.get("ls_provider") or answer.get("model_provider")
        return (model if type(model) is str else None, provider if type(provider) is str else None)


def _response_metadata(outputs: Any) -> dict[str, Any]:
    try:
        found = outputs["generations"][0][0]["message"]["kwargs"]["response_metadata"]
    except (KeyError, IndexError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
