"""The control plane of SageMaker on this machine: what moto's lacks, such as jobs that fail and endpoints to update."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"


class ControlPlane(ThreadingHTTPServer):
    """Keeps what is created; a context manager.

    Parameters
    ----------
    job_states
        What a training job goes through, a state at each look: its status and its secondary status.
    failure
        Why a job or an endpoint fails.
    endpoint_states
        What an endpoint goes through after it is created or updated; with "RollingBack" its configuration stays.
    refuse
        Operation to the error it answers: (status, type, message).
    """

    daemon_threads = True

    def __init__(
        self,
        *,
        job_states: list[tuple[str, str]] | None = None,
        failure: str | None = None,
        endpoint_states: list[str] | None = None,
        refuse: dict[str, tuple[int, str, str]] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.job_states = job_states or [("Completed", "Completed")]
        self.failure = failure
        self.endpoint_states = endpoint_states or ["InService"]
        self.refuse = refuse or {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.endpoints: dict[str, dict[str, Any]] = {}
        self._jobs: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def changes(self) -> list[str]:
        """The operations that changed something, in order."""
        return [operation for operation, _ in self.asked if not operation.startswith("Describe")]

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, operation: str, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What a request is answered."""
        self.asked.append((operation, said))
        if operation in self.refuse:
            status, kind, message = self.refuse[operation]
            return status, {"__type": kind, "message": message}
        return getattr(self, f"_{operation}")(said)

    def _CreateTrainingJob(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = said["TrainingJobName"]
        self._jobs[name] = (said["OutputDataConfig"]["S3OutputPath"], list(self.job_states))
        return 200, {"TrainingJobArn": f"{ARN}:training-job/{name}"}

    def _DescribeTrainingJob(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = said["TrainingJobName"]
        output, states = self._jobs[name]
        status, secondary = states.pop(0) if len(states) > 1 else states[0]
        found = {"TrainingJobName": name, "TrainingJobStatus": status, "SecondaryStatus": secondary}
        if status == "Completed":
            found["ModelArtifacts"] = {"S3ModelArtifacts": f"{output}{name}/output/model.tar.gz"}
        elif status in ("Failed", "Stopped") and self.failure:
            found["FailureReason"] = self.failure
        return 200, found

    def _CreateModel(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"ModelArn": f"{ARN}:model/{said['ModelName']}"}

    def _CreateEndpointConfig(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"EndpointConfigArn": f"{ARN}:endpoint-config/{said['EndpointConfigName']}"}

    def _CreateEndpoint(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        states = list(self.endpoint_states)
        self.endpoints[said["EndpointName"]] = {"config": said["EndpointConfigName"], "states": states}
        return 200, {"EndpointArn": f"{ARN}:endpoint/{said['EndpointName']}"}

    def _UpdateEndpoint(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        there = self.endpoints[said["EndpointName"]]
        there["states"] = list(self.endpoint_states)
        if "RollingBack" not in there["states"]:
            there["config"] = said["EndpointConfigName"]
        return 200, {"EndpointArn": f"{ARN}:endpoint/{said['EndpointName']}"}

    def _DescribeEndpoint(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = said["EndpointName"]
        if name not in self.endpoints:
            message = f'Could not find endpoint "{ARN}:endpoint/{name}".'
            return 400, {"__type": "ValidationException", "message": message}
        there = self.endpoints[name]
        status = there["states"].pop(0) if len(there["states"]) > 1 else there["states"][0]
        found = {"EndpointName": name, "EndpointConfigName": there["config"], "EndpointStatus": status}
        if self.failure:
            found["FailureReason"] = self.failure
        return 200, found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ControlPlane

    def log_request(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, found = self.server.answer(self.headers["X-Amz-Target"].partition(".")[2], said)
        content = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
