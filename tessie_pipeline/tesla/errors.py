"""What can go wrong with a request, in two families: worth another try, or not."""


class FleetApiError(Exception):
    """A request failed; the message is a sentence without secrets."""


class TransientApiError(FleetApiError):
    """Tesla or the network failed for now; the same request may succeed later."""


class TerminalApiError(FleetApiError):
    """The request will fail until a person mends what the message says."""
