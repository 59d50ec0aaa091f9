"""How asking the Market can fail. Each fault is a sentence for the account, without anything of our own network."""


class MarketFault(Exception):
    """The Market did not answer what it was asked. `retry_after`: seconds until asking again makes sense, if known."""

    def __init__(self, text: str, *, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after


class MarketUnreachable(MarketFault):
    """No answer, or none but that of a server in trouble."""


class MarketSilent(MarketUnreachable):
    """It may answer the next time: a time-out, a connection that breaks off, a status from 500 on."""


class MarketBusy(MarketUnreachable):
    """It asks to be asked less: 429."""


class MarketRefused(MarketFault):
    """The token is not accepted."""


class MarketNonsense(MarketFault):
    """It answers, but not by the contract."""


class MarketGarbled(MarketNonsense):
    """What came is no JSON, or too much of it: perhaps cut off on the way."""
