"""What can go wrong: said at once over HTTP, or found in the data later and told when the client polls."""


class ApiError(Exception):
    """A request that is refused.

    Parameters
    ----------
    status : int
        The HTTP status.
    code, message : str
        The body's two fields, in the service's documented words where it has some.
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
    """A server that must not start as asked; one line for the person who asked."""


def _utf8(message: str) -> str:
    """Replace what answers cannot hold: a file's name that is not UTF-8, say, is read as half surrogate pairs."""
    return message.encode("utf-8", "replace").decode()
