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
        self.message = message


class DataError(Exception):
    """Data that cannot be used: the model or result fails with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StartError(Exception):
    """A server that must not start as asked; one line for the person who asked."""
