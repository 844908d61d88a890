"""What a browser complains about while a test looks on, and whom it asks."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

# A policy that is broken is only told to the page itself: it says so on the console.
TELL = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI || event.sample}`);
});
"""


class Watch:
    """Listens to everything in a context; `complaints` and `strangers` should stay empty.

    `ours` is the address whose pages must not complain; `others` may be asked as well.
    """

    def __init__(self, context: BrowserContext, *, ours: str, others: Iterable[str] = ()) -> None:
        self._ours = urlsplit(ours).netloc
        self._hosts = {self._ours, *(urlsplit(url).netloc for url in others)}
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        context.add_init_script(TELL)
        context.on("console", self._said)
        context.on("weberror", self._failed)
        context.on("request", self._asked)

    def quiet(self) -> None:
        """Nothing went wrong, and nobody else was asked."""
        assert not self.complaints, self.complaints
        assert not self.strangers, self.strangers

    def expect(self, words: str) -> None:
        """One complaint with these words was to be expected."""
        matching = [each for each in self.complaints if words in each]
        assert matching, self.complaints
        self.complaints.remove(matching[0])

    def _said(self, message: ConsoleMessage) -> None:
        where = urlsplit(message.location["url"]).netloc
        if message.type in ("error", "warning") and where in (self._ours, ""):
            self.complaints.append(f"{message.type}: {message.text} {message.location}")

    def _failed(self, error: WebError) -> None:
        self.complaints.append(f"uncaught: {error.error}")

    def _asked(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme in ("http", "https", "ws", "wss") and where.netloc not in self._hosts:
            self.strangers.append(request.url)
