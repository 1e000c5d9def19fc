"""What can go wrong with a request, in two families: worth another try, or not."""


class FleetApiError(Exception):
    """A request failed; the message is a sentence without secrets."""


class TransientApiError(FleetApiError):
    """Tesla or the network failed for now; the same request may succeed later.

    Attributes:
        retry_after_s: seconds to wait before that, None where the answer does not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Say what failed."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TerminalApiError(FleetApiError):
    """The request will fail until a person mends what the message says."""
