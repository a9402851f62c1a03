"""The API over HTTP: paths, keys, bodies, headers and errors as in Azure's v1.1."""

import asyncio
import hmac
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from anomscan_mvad import limits
from anomscan_mvad.errors import ApiError
from anomscan_mvad.requests import BatchRequest, LastRequest, TrainRequest, parse
from anomscan_mvad.service import Service

ROOT = "/anomalydetector/v1.1/multivariate"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PAGE = 10
Handler = Callable[[Request], Awaitable[Response]]


def build(service: Service, keys: Sequence[str] = (), local_names: frozenset[str] = LOCAL_NAMES) -> ASGIApp:
    """Build the application.

    Parameters
    ----------
    service : Service
    keys : sequence of str
        Each gives access; without any, all on this machine may use the API, except web pages in a browser.
    local_names : frozenset of str
        The Host headers that are accepted if there is no key.
    """
    api = _Api(service)
    routes = [
        Route(f"{ROOT}/models", api.train, methods=["POST"]),
        Route(f"{ROOT}/models", api.list_models, methods=["GET"]),
        Route(f"{ROOT}/models/{{key}}:detect-batch", api.detect_batch, methods=["POST"]),
        Route(f"{ROOT}/models/{{key}}:detect-last", api.detect_last, methods=["POST"]),
        Route(f"{ROOT}/models/{{key}}", api.model, methods=["GET"]),
        Route(f"{ROOT}/models/{{key}}", api.delete, methods=["DELETE"]),
        Route(f"{ROOT}/detect-batch/{{key}}", api.result, methods=["GET"]),
    ]
    handlers: dict[Any, Any] = {ApiError: _refuse, HTTPException: _not_here, Exception: _broken}
    return _Gate(Starlette(routes=routes, exception_handlers=handlers), keys, local_names)


class _Gate:
    """Refuses requests without a key, and tags every answer."""

    def __init__(self, app: ASGIApp, keys: Sequence[str], local_names: frozenset[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]
        self._local_names = local_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._judge(Request(scope))
        mark = str(uuid.uuid4()).encode()

        async def tagged(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"apim-request-id", mark)]
            await send(message)

        await (refusal or self._app)(scope, receive, tagged)

    def _judge(self, request: Request) -> Response | None:
        if self._keys:
            given = request.headers.get("ocp-apim-subscription-key", "").encode()
            # All are compared, so that the time taken reveals nothing.
            matches = [hmac.compare_digest(given, key) for key in self._keys]
            if True in matches:
                return None
            what = "invalid" if given else "missing"
            return _gateway(401, f"Access denied due to {what} subscription key.")
        # Without a key, a web page that the user visits could reach a server on loopback: by a request from another
        # origin, or by a host name of its own that resolves to this machine.
        if "origin" in request.headers:
            return _gateway(403, "Requests from web pages need a key; start the server with --key-file.")
        if (request.url.hostname or "") not in self._local_names:
            return _gateway(403, "This server answers to localhost and 127.0.0.1 only, unless it has a key.")
        return None


class _Api:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def train(self, request: Request) -> Response:
        asked = TrainRequest.read(parse(await _body(request, limits.MAX_BODY_BYTES)))
        model = await run_in_threadpool(self._service.train, asked)
        return JSONResponse(model, 201, {"Location": _url(request, f"models/{model['modelId']}")})

    async def list_models(self, request: Request) -> Response:
        skip, top = _number(request, "skip", 0), _number(request, "top", PAGE)
        models = await run_in_threadpool(self._service.list_models)
        page = models[skip : skip + top]
        answer = {"models": page, "currentCount": len(models), "maxCount": limits.MAX_MODELS}
        if page and skip + len(page) < len(models):
            answer["nextLink"] = _url(request, f"models?skip={skip + len(page)}&top={top}")
        return JSONResponse(answer)

    async def model(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._service.model, request.path_params["key"]))

    async def delete(self, request: Request) -> Response:
        await run_in_threadpool(self._service.delete, request.path_params["key"])
        return Response(status_code=204)

    async def detect_batch(self, request: Request) -> Response:
        asked = BatchRequest.read(parse(await _body(request, limits.MAX_BODY_BYTES)))
        result = await run_in_threadpool(self._service.detect_batch, request.path_params["key"], asked)
        key = result["resultId"]
        return JSONResponse(
            result, 202, {"Operation-Id": key, "Operation-Location": _url(request, f"detect-batch/{key}")}
        )

    async def detect_last(self, request: Request) -> Response:
        raw = await _body(request, limits.MAX_LAST_BODY_BYTES)
        key = request.path_params["key"]
        await run_in_threadpool(self._service.model, key)
        asked = await run_in_threadpool(lambda: LastRequest.read(parse(raw)))
        return JSONResponse(await run_in_threadpool(self._service.detect_last, key, asked))

    async def result(self, request: Request) -> Response:
        state, file = await run_in_threadpool(self._service.result, request.path_params["key"])
        if file is None:
            return JSONResponse(state | {"results": []})
        results = await run_in_threadpool(file.read_bytes)
        # The results are on disk in the JSON that is sent; only the head is added.
        head = JSONResponse(state).body
        return Response(bytes(head)[:-1] + b',"results":' + results + b"}", media_type="application/json")


async def _body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    pieces, size = [], 0
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_S):
            if declared.isdigit() and int(declared) > limit:
                raise _too_large(limit)
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                pieces.append(piece)
    except TimeoutError:
        raise ApiError(408, "RequestTimeout", f"The body did not come within {limits.BODY_TIMEOUT_S:.0f} s.") from None
    except ClientDisconnect:
        raise ApiError(400, "InvalidJsonFormat", "Invalid JSON format: the body was cut off.") from None
    return b"".join(pieces)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "RequestBodyTooLarge", f"The request body exceeds the size limit ({limit} bytes).")


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, request.query_params.get(f"${name}"))
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ApiError(400, "InvalidRequestParameterError", "Invalid values for $skip or $top.")
    return int(text)


def _url(request: Request, path: str) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{ROOT}/{path}"


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status, {"x-ms-error-code": code})


def _gateway(status: int, message: str) -> Response:
    """Answer as the gateway in front of the hosted service did, before a request reached the service."""
    return JSONResponse({"error": {"code": str(status), "message": message}}, status)


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        return await _broken(_, error)
    return _error(error.status, error.code, error.message)


async def _not_here(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 404:
        return _gateway(404, f"Resource not found; this server has {ROOT}/models and {ROOT}/detect-batch.")
    return _gateway(status, "Method not allowed." if status == 405 else "Refused.")


async def _broken(_: Request, error: Exception) -> Response:
    return _error(500, "UnexpectedError", "Something went wrong; see the server's output.")
