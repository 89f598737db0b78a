"""The one door to gRPC: a PDP to ask, started here or found at an address."""

from __future__ import annotations

import hashlib
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import grpc
import numpy as np
from cerbos.request.v1 import request_pb2

from clerk_cerbos_lab.errors import InputError, LabWarning, PDPError, PolicyError
from clerk_cerbos_lab.identity.principals import Principal, one_principal
from clerk_cerbos_lab.pdp import compiler, engines, inspection, interrupts, messages, server
from clerk_cerbos_lab.pdp.connection import (
    Connection,
    LostError,
    address_of,
    admin_from_environment,
    hidden_admin,
)
from clerk_cerbos_lab.pdp.stream import IN_FLIGHT, Sent, Stream
from clerk_cerbos_lab.policies import disk
from clerk_cerbos_lab.policies.index import index_of
from clerk_cerbos_lab.policies.reach import DEFAULT, Reached, Target
from clerk_cerbos_lab.values import OTHER, OTHER_ID, clean

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import numpy.typing as npt
    import pandas as pd
    from cerbos.engine.v1 import engine_pb2
    from pydantic import SecretStr

    from clerk_cerbos_lab.policies.index import PolicyIndex

PLANNING: Final = 0.5
"""Seconds for all plans of a sweep: they only ever add to what the text of the policies says."""

PLANS_KEPT: Final = 10_000

_POLICIES_AT_ONCE: Final = 100


def _digest(request: request_pb2.PlanResourcesRequest, aux_data: messages.AuxData | None) -> bytes:
    """What tells a plan from others; a hash, so that no JWT stays in memory for it."""
    jwt = b"" if aux_data is None else aux_data.get_secret_value().SerializeToString(deterministic=True)
    return hashlib.sha256(request.SerializeToString(deterministic=True) + jwt).digest()


class PDP:
    """A Cerbos policy decision point to ask.

    It is found in this order: the ``address`` given or ``CERBOS_ADDRESS``; the binary that
    set-up installed; ``cerbos`` on PATH; the official image in a container engine. One that is
    started here reads ``policies``, listens on a Unix socket in a private folder, is asked to
    reload when a policy file has changed since the last question, is restarted once when it is
    killed in the middle of an operation, and ends with this process however that ends.

    Args:
        policies: the folder of Cerbos policies.
        address: ``host:port`` of the gRPC API (Cerbos's default port: 3593) or ``unix:/path``.
        tls: with an address: True for TLS with the system's certificates, or the path of a CA
            certificate.
        playground_instance: with an address: the id of a Cerbos playground instance.
        admin: with an address: user and password of its Admin API, which ``.policies`` needs.
            Default: ``CERBOS_USERNAME`` and ``CERBOS_PASSWORD``.
        strict: evaluate strictly (``engine.strictEvaluation``): an error in a condition denies,
            instead of counting as not satisfied.
        config: more of Cerbos's own configuration (``engine.globals``, ``auxData``, ``schema``,
            …); the kit's own listen addresses, limits and storage win.
        timeout: seconds that one request may take.

    Attributes:
        address: what any Cerbos SDK client can connect to.
        engine: in words, how this PDP is run.
        strict: as given; None for a PDP at an address, which does not tell.

    Raises:
        InputError: for arguments that do not fit together, or a folder without policies.
        PolicyError: when the policies do not compile.
        PDPError: when no PDP is found, it does not start, or nothing answers at the address.
    """

    def __init__(
        self,
        policies: str | os.PathLike[str] | None = None,
        *,
        address: str | None = None,
        tls: bool | str = False,
        playground_instance: str | None = None,
        admin: tuple[str, str | SecretStr] | None = None,
        strict: bool = False,
        config: Mapping[str, Any] | None = None,
        timeout: float = 30.0,
    ) -> None:
        admin = hidden_admin(admin)
        given = {} if config is None else config
        if not (isinstance(given, dict) and isinstance(given.get("engine", {}), dict)):
            msg = "config= is a dict of Cerbos's configuration, such as {'engine': {'globals': {…}}}"
            raise InputError(msg)
        self._prepare(timeout)
        at = address_of(policies, address)
        if at is None:
            self._start_embedded(policies, tls, playground_instance, strict=strict, config=config)
        else:
            if strict or config:
                msg = "strict= and config= are for a PDP that is started here; one at an address has its own"
                raise InputError(msg)
            self.engine = "at an address"
            self.strict: bool | None = None
            self.address = at
            self._admin = admin or admin_from_environment()
            self._connect(tls, playground_instance)

    def _prepare(self, timeout: float) -> None:
        self._closed = False
        self._lock = threading.RLock()
        self._in_block = False
        self._digest: str | None = None
        self._told: tuple[str | None, pd.DataFrame] | None = None
        self._index: tuple[str | None, PolicyIndex] | None = None
        self._planned: tuple[str | None, dict[bytes, dict[str, Any]]] = (None, {})
        self._server: server.Server | None = None
        self._folder: Path | None = None
        self.timeout = timeout
        self._stream = Stream(self)

    def _start_embedded(
        self,
        folder: str | os.PathLike[str] | None,
        tls: bool | str,  # noqa: FBT001
        playground_instance: str | None,
        *,
        strict: bool,
        config: Mapping[str, Any] | None,
    ) -> None:
        if folder is None:
            msg = "lab.PDP needs a folder of policies, or an address of a PDP that has its own"
            raise InputError(msg)
        if tls or playground_instance:
            msg = "tls= and playground_instance= go with address="
            raise InputError(msg)
        self._folder = disk.policy_folder(folder)
        self._shown_folder = str(folder)
        self._engine = engines.find_engine()
        self.engine = self._engine.describe()
        self.strict = bool(strict or ((config or {}).get("engine") or {}).get("strictEvaluation"))
        engine = {**((config or {}).get("engine") or {})}
        if strict:
            engine["strictEvaluation"] = True
        self._config = {**(config or {}), "engine": engine}
        self._admin = hidden_admin(server.ADMIN)
        self._start()

    def _start(self) -> None:
        """Start the server on the policies as they are now, and connect."""
        folder = self._need_folder()
        self._signature = disk.signature(folder)
        self._digest = disk.digest(folder)
        self._server = server.Server(self._engine, folder, self._config)
        self.address = self._server.address
        try:
            self._server.wait_until_listening(60.0)
        except PDPError:
            self._server.stop()
            self._compile()  # says what is wrong with the policies, if that is what it was
            raise
        except BaseException:
            self._server.stop()
            raise
        self._connect(tls=False, playground_instance=None)

    def _connect(self, tls: bool | str, playground_instance: str | None) -> None:  # noqa: FBT001
        self._connection = Connection(
            self.address,
            tls=tls,
            playground_instance=playground_instance,
            timeout=self.timeout,
            wait=self._server is not None,
        )
        self.version: str = self._connection.version

    @classmethod
    def of_folder(cls, folder: str | os.PathLike[str], *, config: Mapping[str, Any]) -> Self:
        """A PDP started here on a folder, whatever ``CERBOS_ADDRESS`` says."""
        made = cls.__new__(cls)
        made._prepare(30.0)  # noqa: SLF001 - its own
        made._start_embedded(folder, tls=False, playground_instance=None, strict=False, config=config)  # noqa: SLF001
        return made

    # -- what it knows ------------------------------------------------------------------------

    @property
    def digest(self) -> str | None:
        """SHA-256 of the policy files in force (tests left out); None for a PDP at an address."""
        with self.asking():
            return self._digest if self._folder else None

    @property
    def is_open(self) -> bool:
        """Whether it can be asked: it was not closed."""
        return not self._closed

    @property
    def own_policies(self) -> tuple[Path, Mapping[str, Any], str] | None:
        """Folder, configuration and digest of a PDP that was started here; None for one at an address."""
        with self.asking():
            if self._folder is None or self._digest is None:
                return None
            return self._folder, self._config, self._digest

    @property
    def policies(self) -> pd.DataFrame:
        """What Cerbos's InspectPolicies says, one row a policy.

        Returns:
            A DataFrame with the columns ``policy`` (such as ``resource.expense.vdefault``),
            ``type`` (``resource``, ``principal``, ``derived_roles``, …), ``name`` (the kind, the
            principal id, …, with ``_`` for what is no letter, digit or dot), ``version``,
            ``scope``, ``file``, and tuples ``actions``, ``derived_roles``, ``variables``,
            ``principal_attributes``, ``resource_attributes``, and ``constants`` (a dict of name to
            value). Sorted by ``policy``.

        Raises:
            PDPError: when the PDP's Admin API is not enabled or refuses the user.
        """
        with self.asking():
            if self._folder is None or self._told is None or self._told[0] != self._digest:
                answer = self._ask_admin("InspectPolicies", request_pb2.InspectPoliciesRequest())
                self._told = (self._digest, inspection.frame(answer, self._documents_or_none()))
            return self._told[1].copy()

    def _documents_or_none(self) -> tuple[dict[str, Any], ...]:
        try:
            return self.index.documents
        except PDPError:  # a store that keeps no source
            return ()

    @property
    def index(self) -> PolicyIndex:
        """What the kit knows about the policies in force; the same object as long as they are the same.

        Raises:
            PDPError: when the PDP does not tell its policies: no Admin API, another user's, a store that
                keeps no source, or a form of policy that is newer than the Cerbos SDK here.
        """
        with self.asking():
            if self._folder is None or self._index is None or self._index[0] != self._digest:
                files = {} if self._folder is None else disk.texts(self._folder)
                self._index = (self._digest, index_of(self._documents(), files, self._digest))
            return self._index[1]

    def documents(self) -> tuple[dict[str, Any], ...]:
        """The policies in force, whole, as the PDP read them.

        Returns:
            One dict per policy in the form of Cerbos's policy files, disabled ones left out.

        Raises:
            PDPError: as ``index``.
        """
        return self.index.documents

    def _documents(self) -> tuple[dict[str, Any], ...]:
        """The policies in force as dicts in the form of policy files, as the PDP read them."""
        listed = self._ask_admin("ListPolicies", request_pb2.ListPoliciesRequest())
        ids = sorted(listed.policy_ids)
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _POLICIES_AT_ONCE):
            part = request_pb2.GetPolicyRequest(id=ids[start : start + _POLICIES_AT_ONCE])
            answer = self._ask_admin("GetPolicy", part)
            found.extend(messages.plain(policy) for policy in answer.policies)
        if len(found) != len(ids):
            msg = f"the PDP at {self.address} returned {len(found)} of {len(ids)} policies"
            raise PDPError(msg)
        return tuple(found)

    def actions(self, kind: str, *, policy_version: str = "", scope: str = "") -> tuple[str, ...] | None:
        """The actions that the policies of a resource kind name, patterns such as ``view:*`` too.

        Returns:
            Sorted action names, of the resource policies that a request can reach, or where there are none of
            the principal and role policies; None when the PDP does not tell (no Admin API).

        Raises:
            InputError: when no policy is about this kind, or not in this version or scope.
        """
        try:
            found = self.reached(kind, policy_version=policy_version, scope=scope)
        except PDPError:
            if not self._need_inspection():
                return None
            return (
                tuple(sorted(inspection.attributes(inspection.of_kind(self.policies, kind), "actions")))
                or None
            )
        return found.own or found.others

    def check_names(
        self,
        kind: str,
        actions: Sequence[str],
        *,
        policy_version: str = "",
        scope: str = "",
        principal_policy_version: str | None = None,
        principal_scope: str | None = None,
    ) -> list[str] | None:
        """Refuse names that no policy can mean: Cerbos would answer a plain DENY.

        Args:
            kind: the resource kind.
            actions: to be asked about.
            policy_version: as ``reached``, and so for the rest.
            scope: of the resource.
            principal_policy_version: of the principal.
            principal_scope: of the principal.

        Returns:
            A sentence for each name that only a rule about everything (``*``) can mean, so that it is perhaps
            misspelt; None when nothing could be checked, because the PDP does not tell its policies.

        Raises:
            InputError: when no policy is about the kind or an action; names the nearest.
        """
        try:
            found = self.reached(
                kind,
                policy_version=policy_version,
                scope=scope,
                principal_policy_version=principal_policy_version,
                principal_scope=principal_scope,
            )
        except PDPError:
            self._need_inspection()
            return None
        for action in actions:
            found.check_action(action)
        return self.index.doubts(found, actions)

    def _need_inspection(self) -> bool:
        """Whether the PDP tells of its policies, though not the policies themselves.

        Raises:
            PDPError: when it should, and does not.
        """
        if self._folder is None and self._admin is None:
            return False
        return len(self.policies) > 0 or self._folder is None

    def reached(
        self,
        kind: str,
        *,
        policy_version: str = "",
        scope: str = "",
        principal_policy_version: str | None = None,
        principal_scope: str | None = None,
    ) -> Reached:
        """The policies that a request about a kind can reach (see ``reach``).

        Args:
            kind: the resource kind.
            policy_version: of the resource, and of the principal where not given; empty: the PDP's default.
            scope: of the resource, and of the principal where not given.
            principal_policy_version: of the principal, where it differs.
            principal_scope: of the principal, where it differs.

        Raises:
            InputError: when there are none.
            PDPError: when the PDP does not tell its policies.
        """
        target = Target(
            kind,
            self._version(policy_version),
            self._scope(scope),
            self._version(policy_version if principal_policy_version is None else principal_policy_version),
            self._scope(scope if principal_scope is None else principal_scope),
        )
        lenient = bool(self._config["engine"].get("lenientScopeSearch")) if self._folder else None
        return self.index.reached(target, lenient=lenient)

    def _version(self, given: str) -> str | None:
        """The policy version that a request means; None where only the PDP knows."""
        if given or not self._folder:
            return given or None
        return str(self._config["engine"].get("defaultPolicyVersion") or DEFAULT)

    def _scope(self, given: str) -> str | None:
        """The scope that a request means; None where only the PDP knows."""
        if given or not self._folder:
            return given or None
        return str(self._config["engine"].get("defaultScope") or "")

    def resource_attributes(self, kind: str) -> tuple[frozenset[str], frozenset[str]]:
        """The resource attributes that any policy reads, and those that the kind's own policies read.

        Raises:
            PDPError: when the PDP does not tell its policies.
        """
        known = self.policies
        everywhere = inspection.attributes(known, "resource_attributes")
        return everywhere, inspection.attributes(inspection.of_kind(known, kind), "resource_attributes")

    def principal_attributes(self, kind: str) -> frozenset[str]:
        """The principal attributes that the resource policies of a kind read, derived roles left out.

        Raises:
            PDPError: when the PDP does not tell its policies.
        """
        return inspection.attributes(inspection.of_kind(self.policies, kind), "principal_attributes")

    def compared_types(self) -> dict[str, str]:
        """What type the policies compare principal attributes with, as far as their text tells.

        Returns:
            Attribute name to JSON type in words (``{"approval_limit": "a number"}``); empty for a PDP
            at an address that does not tell its policies.
        """
        try:
            return dict(self.index.attribute_types)
        except PDPError:
            if self._folder is not None:
                raise
            return {}

    # -- asking -------------------------------------------------------------------------------

    def is_allowed(
        self,
        action: str,
        principal: Mapping[Any, Any] | pd.Series[Any] | Principal,
        kind: str,
        attr: Mapping[str, object] | None = None,
        *,
        resource_id: str = "resource",
        policy_version: str = "",
        scope: str = "",
        aux_data: str | SecretStr | Mapping[str, str] | messages.AuxData | None = None,
    ) -> bool:
        """Ask one question with one request.

        Args:
            action: what the principal wants to do.
            principal: a row of a principals frame, or a dict with ``id``, ``roles`` and attributes.
            kind: the resource kind.
            attr: the resource's attributes; ``SELF``, ``OTHER`` and ``MISSING`` work here too.
            resource_id: the resource's id.
            policy_version: of the resource and the principal policies; empty: the PDP's default.
            scope: of the resource and the principal policies.
            aux_data: a JWT for the conditions, or ``{"token": …, "key_set_id": …}``.

        Returns:
            True for ALLOW, False for DENY.

        Raises:
            InputError: for an unknown kind or action, or a value that can't be sent.
            PDPError: when the PDP refuses the request or is lost.
            LabWarning (a warning): for a name that stands in no policy, where a rule says ``*``.
        """
        aux_data = messages.hidden_aux_data(aux_data)
        if not isinstance(resource_id, str) or not resource_id:
            msg = f"resource_id must be a non-empty string, not {resource_id!r}"
            raise InputError(msg)
        person = principal if isinstance(principal, Principal) else one_principal(principal)
        attributes = {name: clean(value, f"attribute '{name}'") for name, value in (attr or {}).items()}
        entries = messages.Entries(
            [(resource_id, attributes)],
            kind=kind,
            actions=[action],
            policy_version=policy_version,
            scope=scope,
            other=OTHER_ID if person.id != OTHER_ID else OTHER.value,
        )
        message = messages.principal_message(person, policy_version=policy_version, scope=scope)
        batch = (message, entries.for_principal(person.id))
        with self.asking():
            doubts_about = self.check_names(kind, [action], policy_version=policy_version, scope=scope)
            (answer,) = self.check([batch], aux_data)
        for doubt in doubts_about or ():
            warnings.warn(doubt, LabWarning, stacklevel=2)
        return bool(answer[0, 0])

    def plans(
        self, requests: Sequence[request_pb2.PlanResourcesRequest], aux_data: messages.AuxData | None = None
    ) -> list[dict[str, Any]]:
        """The conditions that PlanResources answers, as dicts; empty for what it can't plan in time."""
        end = time.monotonic() + PLANNING
        with self.asking():
            if self._planned[0] != self._digest or self._folder is None or len(self._planned[1]) > PLANS_KEPT:
                self._planned = (self._digest, {})
            known = self._planned[1]
            keys = [_digest(request, aux_data) for request in requests]
            new = [i for i, key in enumerate(keys) if key not in known]
            for start in range(0, len(new), IN_FLIGHT):
                left = end - time.monotonic()
                if left <= 0:
                    break
                with interrupts.interrupt_held_back():
                    some = [
                        (keys[i], self._connection.plan.future((requests[i], aux_data), timeout=left))
                        for i in new[start : start + IN_FLIGHT]
                    ]
                    for key, future in some:
                        with suppress(grpc.RpcError):  # a server that is lost the check that follows starts
                            response: Any = future.result()
                            known[key] = messages.plan_condition(response)
        return [known.get(key, {}) for key in keys]

    def check(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None = None,
    ) -> Generator[npt.NDArray[np.bool_]]:
        """Ask many questions, several requests in flight; the answers come in the order asked.

        Args:
            batches: a principal and up to 500 resources each, all of a batch with the same actions.
            aux_data: sent with every request.

        Yields:
            ``allowed[resource, action]`` for each batch.

        Raises:
            PDPError: when the PDP refuses a request, or is lost for good. What was yielded
                before is right, but not the whole: throw it away.
        """
        return self._stream.ask(batches, aux_data, messages.effects, np.concatenate)

    def outputs(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None = None,
    ) -> Generator[list[tuple[str, Any, str]]]:
        """What the rules that apply put out, asked as in ``check``.

        Yields:
            For each batch and output the name of its rule, its value, and its error (empty for none).

        Raises:
            PDPError: as ``check``.
        """
        return self._stream.ask(batches, aux_data, messages.outputs, _joined)

    def _send(self, request: messages.CheckRequest, aux_data: messages.AuxData | None) -> Sent:
        if self._closed:
            msg = "this PDP is closed; make another with lab.PDP(...)"
            raise PDPError(msg)
        check = self._connection.check
        with interrupts.interrupt_held_back():
            future = check.future((request, aux_data), timeout=self.timeout)
        return Sent(request, future, check)

    def is_connected(self, sent: Sent) -> bool:
        """Whether the connection that a request went over is still the one in use."""
        return sent.check is self._connection.check

    def revive(self) -> bool:
        """Start the server again after it was lost; False for a PDP at an address.

        Raises:
            PDPError: when the policies have changed meanwhile, so that answers would not fit together.
        """
        if self._server is None:
            return False
        before = self._digest
        self._stop_server()
        self._start()
        if self._digest != before:
            msg = "the PDP was lost and the policies have changed since; ask again"
            raise PDPError(msg)
        return True

    # -- its life -----------------------------------------------------------------------------

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask by one state of the policies: the files as they are now, until the block ends.

        What is written meanwhile counts for the next block. Threads take turns.

        Raises:
            PolicyError: when the policies do not compile. The PDP then still answers its socket by the
                last good ones, and every question of the kit raises until the files are mended.
            PDPError: when the PDP is closed, or was lost and can't be started again.
        """
        with self._lock:
            if not self._in_block:
                self._refresh()
            outer, self._in_block = self._in_block, True
            try:
                yield
            finally:
                self._in_block = outer

    def refresh(self) -> None:
        """Make a PDP that was started here answer by the policy files as they are now.

        Each question of the kit does this first; who asks ``address`` with another client calls it
        after an edit. Cheap when nothing has changed (a look at the files' times and sizes).

        Raises:
            PolicyError, PDPError: as ``asking``.
        """
        with self.asking():
            pass

    def _refresh(self) -> None:
        if self._closed:
            msg = "this PDP is closed; make another with lab.PDP(...)"
            raise PDPError(msg)
        if self._folder is None:
            return
        if self._server is None or not self._server.running:
            self._stop_server()
            self._start()
            return
        now = disk.signature(self._folder)
        if now == self._signature:
            return
        disk.policy_folder(self._folder)  # an emptied folder would deny everything, without a word
        fresh = disk.digest(self._folder)
        if fresh != self._digest:
            self._compile()
            self._ask_admin("ReloadStore", request_pb2.ReloadStoreRequest(wait=True))
        self._digest, self._signature = fresh, now
        if disk.signature(self._folder) != now:  # written while it was read: read it again
            self._refresh()

    def _compile(self) -> None:
        folder = self._need_folder()
        command = self._engine.compile_command(folder)
        problems = compiler.compile_problems(command, folder)
        if problems:
            raise PolicyError(self._shown_folder, problems)

    def _need_folder(self) -> Path:
        if self._folder is None:
            msg = "a PDP at an address has its own policies"
            raise PDPError(msg)
        return self._folder

    def _ask_admin(self, method: str, request: Any) -> Any:
        try:
            return self._connection.ask_admin(self._admin, method, request)
        except LostError:
            if self._server is None:
                raise
        self._stop_server()  # killed since it was looked at: once more
        self._start()
        return self._connection.ask_admin(self._admin, method, request)

    def close(self) -> None:
        """End the server that was started here and close the connection; may be called again."""
        self._closed = True
        self._stop_server()

    def _stop_server(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return "PDP(closed)"
        if self._folder is None:
            return f"PDP(Cerbos {self.version} at {self.address})"
        mode = ", strict" if self.strict else ""
        return f"PDP(Cerbos {self.version}, policies '{self._shown_folder}'{mode})"


def _joined(parts: Sequence[list[Any]]) -> list[Any]:
    return [item for part in parts for item in part]
