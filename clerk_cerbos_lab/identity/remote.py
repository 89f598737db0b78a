"""The only module that calls a provider's API: one time budget, retries, secrets, quiet logs.

A provider says in a ``Service`` how it limits rates and words its errors; what to ask is for its own package.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final, Self

import httpx
from httpx_retries import Retry

from clerk_cerbos_lab.errors import InputError, ProviderError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import SecretStr

REQUEST_SECONDS: Final = 30.0

ATTEMPTS: Final = 8

CONNECT_ATTEMPTS: Final = 3

Filter = str | int | bool | list[str]


def retry_after(headers: httpx.Headers) -> float | None:
    """The seconds that ``Retry-After`` asks for, or None."""
    with suppress(ValueError):  # no such header, or not a time
        return Retry().parse_retry_after(headers.get("Retry-After", "")) or None
    return None


def reset_at(name: str) -> Callable[[httpx.Headers], float | None]:
    """Reads a header with the second since 1970 at which the limit is lifted, by the provider's own clock.

    One second is added, because both the header and ``Date`` are whole seconds.
    """

    def wait(headers: httpx.Headers) -> float | None:
        if not re.fullmatch(r"[0-9]{1,12}", headers.get(name, "").strip()):
            return retry_after(headers)
        now = time.time()
        with suppress(ValueError):  # no Date, or not one
            now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        return max(float(headers[name]) - now, 0.0) + 1

    return wait


@dataclass(frozen=True, slots=True)
class Service:
    """How one provider's API behaves.

    Attributes:
        title: what messages call the provider.
        key: what messages call its key.
        error: the error to raise.
        wait: the seconds that the headers of a 429 ask for, or None.
        codes: the error code and the trace id, from the decoded body and the headers of an error; may fail on
            a body of another form.
        needs: what a key that may list users has, for the message of a 403.
    """

    title: str
    key: str
    error: type[ProviderError]
    wait: Callable[[httpx.Headers], float | None]
    codes: Callable[[Any, httpx.Headers], tuple[Any, Any]]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded response."""

    body: Any
    headers: httpx.Headers


@cache
def _tls() -> ssl.SSLContext:
    """How to check certificates; reading them once saves 30 ms for each API."""
    return httpx.create_ssl_context()


class Api:
    """Sends requests with the key, within one time budget."""

    def __init__(
        self,
        service: Service,
        url: str,
        budget: float,
        *,
        authorization: tuple[str, SecretStr] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if budget <= 0:
            msg = f"budget must be above 0 seconds, not {budget}"
            raise InputError(msg)
        self.service = service
        self.url = url
        self._budget = budget
        self._end = time.monotonic() + budget
        self._client = httpx.Client(
            headers={"Accept": "application/json", **(headers or {})}, follow_redirects=False, verify=_tls()
        )
        if authorization:
            self.authorize(*authorization)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def authorize(self, scheme: str, key: SecretStr) -> None:
        """Send this key with every request from now on."""
        self._client.headers["Authorization"] = f"{scheme} {key.get_secret_value()}"

    def get(self, path: str, params: Mapping[str, Filter] | None = None) -> Any:
        """The decoded response to a GET; see ``ask``."""
        return self.ask(path, params).body

    def ask(
        self,
        path: str,
        params: Mapping[str, Filter] | None = None,
        *,
        method: str = "GET",
        json: Callable[[], Any] | None = None,
    ) -> Answer:
        """The decoded response; 429, 5xx and network errors are retried.

        Args:
            path: after the API's address.
            params: of the query; a list is one name repeated.
            method: of HTTP.
            json: makes the body, which may hold a secret.

        Raises:
            ProviderError: with status, code and trace id only, because the body may contain personal data.
        """
        response = self._checked(path, params, method, json)
        try:
            return Answer(response.json(), response.headers)
        except (ValueError, RecursionError):
            pass
        msg = f"{self.service.title}'s response to {path} was not JSON; nothing is kept"
        raise self.service.error(msg, status=response.status_code)

    def download(self, url: str, target: IO[bytes]) -> None:
        """Write what is at another address into a file; the key is not sent there.

        Raises:
            ProviderError: as ``ask``.
        """
        with httpx.Client(follow_redirects=False, verify=_tls()) as client:
            response = self._checked("the export file", None, "GET", None, (client, url))
        target.write(response.content)

    def wait(self, seconds: float) -> None:
        """Wait, unless that is longer than the budget.

        Raises:
            ProviderError: if it is.
        """
        if seconds >= self._left():
            self._refuse_budget()
        pause(seconds)

    def _refuse_budget(self) -> None:
        took = f"loading from {self.service.title} took longer than its budget of {self._budget:g} s"
        msg = f"{took}; nothing is kept"
        raise self.service.error(msg)

    def _checked(
        self,
        path: str,
        params: Mapping[str, Filter] | None,
        method: str,
        json: Callable[[], Any] | None,
        elsewhere: tuple[httpx.Client, str] | None = None,
    ) -> httpx.Response:
        """The response to a request that succeeded."""
        if self._left() <= 0:
            self._refuse_budget()
        client, url = elsewhere or (self._client, f"{self.url}{path}")
        with _quiet("httpx", "httpcore", "httpx_retries"):
            response = self._answer(client, url, params, method, json)
        if isinstance(response, httpx.HTTPError):
            where = httpx.URL(url).host
            problem = type(response).__name__
            title = self.service.title
            if isinstance(response, httpx.ConnectError):
                msg = f"{title}'s API at {where} can't be reached ({problem}): is the network up?"
            else:
                tried = f"after {ATTEMPTS + 1} tries or {self._budget:g} s"
                msg = f"{title}'s API at {where} did not answer {path} {tried} ({problem}); nothing is kept"
            raise self.service.error(msg)
        if not response.is_success:
            raise self._refusal(path, response)
        return response

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _answer(
        self,
        client: httpx.Client,
        url: str,
        params: Mapping[str, Filter] | None,
        method: str,
        json: Callable[[], Any] | None,
    ) -> httpx.Response | httpx.HTTPError:
        """The response; the last of several if retrying can help and the budget allows it."""
        retry = Retry(
            total=ATTEMPTS,
            status_forcelist=[429, 500, 502, 503, 504],
            backoff_factor=0.25,
            max_backoff_wait=self._budget,
        )
        while True:
            answer = self._ask(client, url, params, method, json)
            if isinstance(answer, httpx.Response):
                again = retry.is_retryable_status_code(answer.status_code)
            else:
                again = retry.is_retryable_exception(answer)
            unreachable = isinstance(answer, httpx.ConnectError) and retry.attempts_made >= CONNECT_ATTEMPTS
            if not again or unreachable or retry.is_exhausted():
                return answer
            retry = retry.increment()
            wait = retry.backoff_strategy()
            if isinstance(answer, httpx.Response):
                limited = answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                asked = self.service.wait(answer.headers) if limited else retry_after(answer.headers)
                wait = asked or wait
            if wait >= self._left():
                return answer
            pause(wait)

    def _ask(
        self,
        client: httpx.Client,
        url: str,
        params: Mapping[str, Filter] | None,
        method: str,
        json: Callable[[], Any] | None,
    ) -> httpx.Response | httpx.HTTPError:
        """One attempt. The body is read here, so that a truncated response counts as an error."""
        timeout = min(REQUEST_SECONDS, max(self._left(), 0.001))
        query = dict(params) if params else None
        content = json() if json else None
        body = bytearray()
        try:
            with client.stream(method, url, params=query, json=content, timeout=timeout) as response:
                for chunk in response.iter_raw():
                    body += chunk
                    if self._left() <= 0:
                        return httpx.ReadTimeout("the budget is used up")
            return httpx.Response(response.status_code, headers=response.headers, content=bytes(body))
        except httpx.HTTPError as error:
            return error

    def _refusal(self, path: str, response: httpx.Response) -> ProviderError:
        title, status = self.service.title, response.status_code
        code = trace = None
        with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            code, trace = map(plain_word, self.service.codes(response.json(), response.headers))
        refused = f"{title} refused the {self.service.key}"
        reasons: dict[int, str] = {
            401: f"{refused}: does it belong to this instance, and is it still valid?",
            403: f"{title} does not allow this key to list users{self.service.needs}",
            404: "there is nothing at this address: is the API address right?",
            422: f"{title} refused the filters",
            429: f"{title}'s rate limit was not lifted within the budget of {self._budget:g} s",
        }
        if status in reasons:
            reason = reasons[status]
        elif 300 <= status < 400:
            reason = f"{title}'s API returned a redirect, which is never followed with a key"
        elif status >= 500:
            reason = f"{title} failed and did not recover in {ATTEMPTS + 1} tries or {self._budget:g} s"
        else:
            reason = f"{title} refused the request"
        about = ", ".join(filter(None, [f"status {status}", code, f"trace {trace}" if trace else None]))
        return self.service.error(
            f"{reason} ({path}: {about}); nothing is kept", status=status, code=code, trace_id=trace
        )


def pause(seconds: float) -> None:
    """Wait; every wait of a load goes through here."""
    time.sleep(seconds)


def plain_word(value: object) -> str | None:
    """A code or trace id; anything else in a body could be personal."""
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,80}", value)
    return value if plain and isinstance(value, str) else None


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Temporarily keep URLs out of the logs: their filters may contain an e-mail address."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(logging.ERROR, logger.level))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


# -- addresses ------------------------------------------------------------------------------------


def checked_url(text: str, title: str, example: str) -> str:
    """An API's address, without a slash at the end.

    Raises:
        InputError: if it is none, or a key would be sent to it unencrypted.
    """
    text = text.strip().rstrip("/")
    try:
        url = httpx.URL(text)  # parsed as the client will parse it
    except httpx.InvalidURL:
        url = httpx.URL()
    local = url.host in {"localhost", "127.0.0.1", "::1"}
    if url.scheme not in {"https", "http"} or not url.host or url.query or url.fragment or url.userinfo:
        msg = f"the {title} API address must look like {example}"
        raise InputError(msg)
    if url.scheme == "http" and not local:
        msg = f"the {title} API address must be https: a secret key is never sent unencrypted ({url.host})"
        raise InputError(msg)
    return text


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; empty if the text is no address."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "", "", None
    return parsed.scheme, parsed.host, parsed.port


def query_of(url: str) -> list[tuple[str, str]]:
    """The parameters of an address, in order; empty if the text is no address."""
    try:
        return list(httpx.URL(url).params.multi_items())
    except httpx.InvalidURL:
        return []
