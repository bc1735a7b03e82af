"""The six ways a remote call fails. Each class answers one question: what happens next?

ConnectorError
├── Transient      try again with back-off, then dead letter
│   └── Unknown    it may have happened: the repeat looks before it creates
├── RateLimited    the whole channel waits; no attempt is counted
├── AuthFailed     the channel is paused and a person is called
├── Rejected       dead letter at once, with the remote's own words
├── NotFound       dead letter, and reconciliation looks for it
└── Conflict       read the ledger again, build the message anew, try again
"""


class ConnectorError(Exception):
    """Base of the six. Anything else that leaves a connector is a bug and is treated as one."""


class Transient(ConnectorError):
    """The wire broke or the remote failed. Next: again with back-off; at the end, dead letter."""


class Unknown(Transient):
    """The request was sent and no answer came. Next: as Transient; the repeat looks first."""


class RateLimited(ConnectorError):
    """Asked to slow down. Next: the channel waits `retry_after` seconds; no attempt is counted.

    `own` says that our own budget is used up, and nobody was asked: only the message waits.
    """

    def __init__(self, message: str, retry_after: float, *, own: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.own = own


class AuthFailed(ConnectorError):
    """Credentials or a signature were refused. Next: pause the channel and call a person."""


class Rejected(ConnectorError):
    """Understood and refused. Next: dead letter at once, with the remote's own words."""


class NotFound(ConnectorError):
    """The remote does not know the listing or order. Next: dead letter, and reconcile it."""


class Conflict(ConnectorError):
    """The remote moved on. Next: read the ledger again, build the message anew, try again.

    `observed` is what the remote shows instead, where it said so.
    """

    def __init__(self, message: str, observed: int | None = None) -> None:
        super().__init__(message)
        self.observed = observed
