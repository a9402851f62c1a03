"""Errors: of a request, answered at once; of the data, reported when the client polls; or at start-up."""


class ApiError(Exception):
    """A request that is refused.

    Parameters
    ----------
    status : int
        The HTTP status.
    code, message : str
        The body's two fields, in the service's documented words if there are any.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = _utf8(message)


class DataError(Exception):
    """Data that cannot be used: the model or result fails with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = _utf8(message)


class StartError(Exception):
    """The server cannot start with these options; the message is one line for the user."""


def _utf8(message: str) -> str:
    """Replace what UTF-8 cannot encode, such as the surrogates of a file name that is not UTF-8."""
    return message.encode("utf-8", "replace").decode()
