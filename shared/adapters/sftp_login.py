"""Logging in to an SSH server with all that it wants (RFC 4252, 5.1): a key, a password, or one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from shared.adapters.sftp_private_key import private_key
from shared.kernel.errors import CredentialsRefused, FieldProblem
from shared.kernel.secret import Secret

if TYPE_CHECKING:
    from paramiko import Transport

ALL = "SFTP_USERNAME, SFTP_PRIVATE_KEY, SFTP_PASSWORD"
_PASSWORD, _INTERACTIVE, _PUBLIC_KEY = "password", "keyboard-interactive", "publickey"


@dataclass(frozen=True)
class Factor:
    """One way to show who we are: setting, secret, the methods of SSH that it serves, and how it is sent.

    `send` gets transport, user name, value and the methods that the server takes now, None where it has not said; it
    returns the methods that the server wants after that, none when we are in.
    """

    setting: str
    secret: Secret
    methods: frozenset[str]
    send: "Callable[[Transport, str, str, Sequence[str] | None], Sequence[str]]"


def factors_of(key: Secret | None, password: Secret | None) -> list[Factor]:
    """Return what there is to log in with, in the order in which it is tried: the key first, if there is one."""
    found = []
    if key:
        found.append(Factor("SFTP_PRIVATE_KEY", key, frozenset({_PUBLIC_KEY}), _send_key))
    if password:
        found.append(Factor("SFTP_PASSWORD", password, frozenset({_PASSWORD, _INTERACTIVE}), _send_password))
    if len(found) > 1 and not found[0].secret.find():
        found.reverse()
    return found


def log_in(transport: "Transport", username: str, factors: Sequence[Factor], value: str) -> None:
    """Log in with the value of the first factor, and with the others where the server wants them as well.

    CredentialsRefused names the setting that is refused or missing; errors of paramiko for the connection.
    """
    from paramiko import BadAuthenticationType

    left, shown = list(factors), list[str]()
    wanted: Sequence[str] | None = None
    while True:
        factor = _next(left, wanted)
        if factor is None:
            raise _missing(shown, wanted or ())
        attempt = _Attempt(transport, username, factor, wanted, shown)
        try:
            more = attempt.send(value) if factor is factors[0] else attempt.send_secret()
        except BadAuthenticationType as error:
            # Some servers want the password first, and the key after it.
            if wanted is not None or not _next([one for one in left if one is not factor], error.allowed_types):
                raise _refused(factor, shown) from None
            wanted = error.allowed_types
            continue
        if not more:
            return
        left.remove(factor)
        shown.append(factor.setting)
        wanted = more


@dataclass(frozen=True)
class _Attempt:
    """A factor that is shown now, after those that the server has accepted."""

    transport: "Transport"
    username: str
    factor: Factor
    wanted: Sequence[str] | None
    shown: Sequence[str]

    def send_secret(self) -> Sequence[str]:
        """Show the factor's own secret, each version of it while it is rotated."""
        if not self.factor.secret.find():
            problem = FieldProblem(self.factor.setting, "is missing, and the server wants it as well")
            raise CredentialsRefused((problem,))
        return self.factor.secret.use(self.send)

    def send(self, value: str) -> Sequence[str]:
        """Show a value, return what the server wants after it. BadAuthenticationType where it is out of turn."""
        from paramiko import AuthenticationException, BadAuthenticationType

        began = monotonic()
        try:
            return self.factor.send(self.transport, self.username, value, self.wanted)
        except BadAuthenticationType:
            raise
        except AuthenticationException:
            # paramiko has one error for a refusal, a silence and a connection that ended.
            if not self.transport.is_active():
                raise ConnectionError("the connection ended while logging in") from None
            if monotonic() - began >= self.transport.auth_timeout:
                raise TimeoutError("no answer to the login") from None
            raise _refused(self.factor, self.shown) from None


def _next(factors: Sequence[Factor], wanted: Sequence[str] | None) -> Factor | None:
    return next((one for one in factors if wanted is None or one.methods & set(wanted)), None)


def _send_key(transport: "Transport", username: str, value: str, _wanted: Sequence[str] | None) -> Sequence[str]:
    return transport.auth_publickey(username, private_key(value))


def _send_password(transport: "Transport", username: str, value: str, wanted: Sequence[str] | None) -> Sequence[str]:
    def answer(_title: str, _instructions: str, prompts: Sequence[tuple[str, bool]]) -> list[str]:
        """Answer what is asked for without being shown."""
        return ["" if shown else value for _prompt, shown in prompts]

    if wanted is not None and _PASSWORD not in wanted:
        return transport.auth_interactive(username, answer)
    return transport.auth_password(username, value)


def _refused(factor: Factor, shown: Sequence[str]) -> CredentialsRefused:
    if not shown:
        return CredentialsRefused((FieldProblem(ALL, "the server does not accept them"),))
    text = f"the server accepts {' and '.join(shown)}, wants this as well, and does not accept it"
    return CredentialsRefused((FieldProblem(factor.setting, text),))


def _missing(shown: Sequence[str], wanted: Sequence[str]) -> CredentialsRefused:
    text = f"the server accepts {' and '.join(shown)} and wants more: {', '.join(wanted)[:200]}"
    settings = {_PUBLIC_KEY: "SFTP_PRIVATE_KEY", _PASSWORD: "SFTP_PASSWORD", _INTERACTIVE: "SFTP_PASSWORD"}
    names = [settings[one] for one in wanted if one in settings and settings[one] not in shown]
    return CredentialsRefused((FieldProblem(names[0] if names else ALL, text),))
