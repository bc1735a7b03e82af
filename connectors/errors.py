"""Connector errors: six classes, each with one consequence for the message and the channel.

ConnectorError
├── Transient      retry with back-off, then dead letter
│   └── Unknown    it may have happened: the retry looks before it creates
├── RateLimited    the whole channel waits; no attempt is counted
├── AuthFailed     the channel is paused and an operator is notified
├── Rejected       dead letter at once, with the remote's own text
│   ├── Unreadable the record has another shape: kept, and a case names field and value
│   └── Moved      the remote has another address: a person corrects the settings
├── NotFound       dead letter, and reconciliation looks for it
│   └── NotOurs    it belongs to another channel: a hint about it is dropped
└── Conflict       read the ledger again, rebuild the message, retry
"""


class ConnectorError(Exception):
    """Base of the six. Anything else that leaves a connector is a bug and is treated as one."""


class Transient(ConnectorError):
    """The wire broke or the remote failed. Next: again with back-off; at the end, dead letter.

    `timed_out` says that the remote took too long: a smaller page may help.
    """

    def __init__(self, *args: object, timed_out: bool = False) -> None:
        super().__init__(*args)
        self.timed_out = timed_out


class Unknown(Transient):
    """The request was sent and no answer came. Next: as Transient; the repeat looks first."""


class RateLimited(ConnectorError):
    """Asked to slow down. Next: the channel waits `retry_after` seconds; no attempt is counted.

    `own` says that our own rate limit is used up, and nobody was asked: only the message waits.
    """

    def __init__(self, message: str, retry_after: float, *, own: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.own = own


class AuthFailed(ConnectorError):
    """Credentials or a signature were refused. The channel is paused and an operator notified."""


class Rejected(ConnectorError):
    """The remote understood and refused. Dead letter at once, with the remote's own text."""


class Moved(Rejected):
    """The remote redirects to `target`, an address without its query. Next: correct the settings.

    Only http to https on the same host is followed: credentials go to no other host.
    """

    def __init__(self, message: str, target: str) -> None:
        super().__init__(message)
        self.target = target


class NotFound(ConnectorError):
    """The remote does not know the listing or order. Dead letter, and reconciliation checks."""


class NotOurs(NotFound):
    """The order belongs to another channel: another marketplace or location of the same account.

    A hint about it is dropped; nobody has to do anything.
    """


class Conflict(ConnectorError):
    """The remote has changed meanwhile. Read the ledger again, rebuild the message, retry.

    `observed` is the quantity that the remote shows instead, where it reports one.
    """

    def __init__(self, message: str, observed: int | None = None) -> None:
        super().__init__(message)
        self.observed = observed
