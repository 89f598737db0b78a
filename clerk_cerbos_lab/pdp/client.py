"""The only module that uses gRPC: a PDP to ask, started here or found at an address."""

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
from clerk_cerbos_lab.pdp import compiler, engines, inspection, interrupts, messages, reloading, server
from clerk_cerbos_lab.pdp.connection import (
    Connection,
    LostError,
    address_of,
    admin_from_environment,
    hidden_admin,
)
from clerk_cerbos_lab.pdp.stream import IN_FLIGHT, Sent, Stream
from clerk_cerbos_lab.policies import disk
from clerk_cerbos_lab.policies.index import index_of, kept_index
from clerk_cerbos_lab.policies.reach import DEFAULT, Reached, Target
from clerk_cerbos_lab.values import OTHER, OTHER_ID, clean

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import numpy.typing as npt
    import pandas as pd
    from cerbos.engine.v1 import engine_pb2
    from pydantic import SecretStr

    from clerk_cerbos_lab.policies.index import PolicyIndex

PLANNING: Final = 0.5
"""Seconds for all plans of a sweep: they only add to what the text of the policies says."""

PLANS_KEPT: Final = 10_000

_POLICIES_AT_ONCE: Final = 100


def _digest(request: request_pb2.PlanResourcesRequest, aux_data: messages.AuxData | None) -> bytes:
    """The key of a cached plan; a hash, so that it keeps no JWT in memory."""
    jwt = b"" if aux_data is None else aux_data.get_secret_value().SerializeToString(deterministic=True)
    return hashlib.sha256(request.SerializeToString(deterministic=True) + jwt).digest()


class PDP:
    """A Cerbos policy decision point to ask.

    These are tried in order: ``binary``; ``address`` or ``CERBOS_ADDRESS``; the binary installed by the kit's
    set-up; ``cerbos`` on PATH; the official image in a container engine. A PDP started here reads
    ``policies`` and listens on a Unix socket in a private folder. It is told to reload if a policy
    file has changed since the last question, and restarted once if it is killed during an
    operation. It ends with this process, however this process ends.

    Args:
        policies: the folder of Cerbos policies.
        address: ``host:port`` of the gRPC API (Cerbos's default port: 3593) or ``unix:/path``.
        tls: with an address: True for TLS with the system's certificates, or the path of a CA
            certificate.
        playground_instance: with an address: the id of a Cerbos playground instance.
        admin: with an address: user and password of its Admin API, which ``.policies`` needs.
            Default: ``CERBOS_USERNAME`` and ``CERBOS_PASSWORD``.
        strict: evaluate strictly (``engine.strictEvaluation``): an error in a condition denies
            instead of counting as not satisfied.
        config: other parts of Cerbos's configuration (``engine.globals``, ``auxData``, ``schema``,
            …); the kit's listen addresses, limits and storage take precedence.
        binary: the Cerbos program to run in place of the one that is found: to compare versions.
        timeout: seconds that one request may take.

    Attributes:
        address: an address to which any Cerbos SDK client can connect.
        engine: how this PDP is run, in words.
        strict: as given; None for a PDP at an address, which does not report it.
        binary: as given.
        held_back: of a draft's PDP: the error of the newest text, if that does not compile and the PDP uses
            the last that does; else None.

    Raises:
        InputError: for arguments that contradict each other, or a folder without policies.
        PolicyError: if the policies do not compile.
        PDPError: if no PDP is found, it does not start, or nothing responds at the address.
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
        binary: str | os.PathLike[str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        admin = hidden_admin(admin)
        given = {} if config is None else config
        if not (isinstance(given, dict) and isinstance(given.get("engine", {}), dict)):
            msg = "config= must be a dict of Cerbos's configuration, such as {'engine': {'globals': {…}}}"
            raise InputError(msg)
        self._prepare(timeout)
        at = None if binary is not None and address is None else address_of(policies, address)
        self.binary: str | None = None if binary is None else str(binary)
        if at is None:
            self._start_embedded(policies, tls, playground_instance, strict=strict, config=config)
        else:
            if strict or config or binary is not None:
                ours = "strict=, config= and binary= are for a PDP that is started here"
                msg = f"{ours}; one at an address has its own"
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
        self._alike: set[str | None] = set()  # digests of policies that differ only in numbers
        self._index: tuple[str | None, PolicyIndex] | None = None
        self._planned: tuple[str | None, dict[bytes, dict[str, Any]]] = (None, {})
        self._server: server.Server | None = None
        self._folder: Path | None = None
        self._shown_folder = ""
        self.held_back: PolicyError | None = None
        self._quiet = True
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
            msg = "tls= and playground_instance= need address="
            raise InputError(msg)
        self._folder = disk.policy_folder(folder)
        self._shown_folder = self._shown_folder or str(folder)
        self._engine = engines.find_engine(self.binary)
        self.engine = self._engine.describe()
        self.strict = bool(strict or ((config or {}).get("engine") or {}).get("strictEvaluation"))
        engine = {**((config or {}).get("engine") or {})}
        if strict:
            engine["strictEvaluation"] = True
        self._config = {**(config or {}), "engine": engine}
        self._admin = hidden_admin(server.ADMIN)
        self._start()

    def _start(self) -> None:
        """Start the server on the current policies, and connect."""
        folder = self._need_folder()
        self._signature = disk.signature(folder)
        self._digest = disk.digest(folder)
        self._alike = {self._digest}
        self._server = server.Server(self._engine, folder, self._config, quiet=self._quiet)
        self.address = self._server.address
        try:
            self._server.wait_until_listening(60.0)
        except PDPError as error:
            self._server.stop()
            if self._quiet and server.QUIET in str(error):  # an older version, which does not know it
                self._quiet = False
                self._start()
                return
            self._compile()  # if the policies are the cause, raises an error that says so
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
    def of_folder(
        cls,
        folder: str | os.PathLike[str],
        *,
        config: Mapping[str, Any],
        binary: str | None = None,
        shown: str | None = None,
    ) -> Self:
        """A PDP started here on a folder, whatever ``CERBOS_ADDRESS`` says.

        Args:
            folder: the folder of policies.
            config: Cerbos's configuration.
            binary: the program, if it is another than the one that is found.
            shown: what to call the folder in errors; default: its path.
        """
        made = cls.__new__(cls)
        made._prepare(30.0)  # noqa: SLF001 - our own class
        made._shown_folder = shown or str(folder)  # noqa: SLF001
        made.binary = binary
        made._start_embedded(folder, tls=False, playground_instance=None, strict=False, config=config)  # noqa: SLF001
        return made

    # -- what it reports -----------------------------------------------------------------------

    @property
    def digest(self) -> str | None:
        """SHA-256 of the policy files in force (without tests); None for a PDP at an address."""
        with self.asking():
            return self._digest if self._folder else None

    @property
    def is_open(self) -> bool:
        """Whether it can be asked, that is, has not been closed."""
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
        """The response of Cerbos's InspectPolicies, one row per policy.

        Returns:
            A DataFrame with the columns ``policy`` (such as ``resource.expense.vdefault``),
            ``type`` (``resource``, ``principal``, ``derived_roles``, …), ``name`` (the kind, the
            principal id, …, with ``_`` for anything but letters, digits and dots), ``version``,
            ``scope``, ``file``, and tuples ``actions``, ``derived_roles``, ``variables``,
            ``principal_attributes``, ``resource_attributes``, and ``constants`` (a dict of name to
            value). Sorted by ``policy``.

        Raises:
            PDPError: if the PDP's Admin API is not enabled or refuses the user.
        """
        with self.asking():
            if self._told is not None and self._told[0] != self._digest:
                self._told = None
            return self.inspected.copy()

    @property
    def inspected(self) -> pd.DataFrame:
        """As ``policies``, perhaps from before numbers of them moved: only the constants may be others."""
        with self.asking():
            if self._folder is None or self._told is None or self._told[0] not in self._alike:
                answer = self._ask_admin("InspectPolicies", request_pb2.InspectPoliciesRequest())
                self._told = (self._digest, inspection.frame(answer, self._documents_or_none()))
            return self._told[1]

    def _documents_or_none(self) -> tuple[dict[str, Any], ...]:
        try:
            return self.index.documents
        except PDPError:  # a store that does not keep sources
            return ()

    @property
    def index(self) -> PolicyIndex:
        """What the kit knows about the policies in force; the same object until they change.

        Raises:
            PDPError: if the PDP does not disclose its policies: no Admin API, a wrong user, a store that
                does not keep sources, or a form of policy that is newer than the installed Cerbos SDK.
        """
        with self.asking():
            if self._folder is None or self._index is None or self._index[0] != self._digest:
                files = {} if self._folder is None else disk.texts(self._folder)
                kept = None if self._folder is None else kept_index(self._digest)
                found = kept or index_of(self._documents(), files, self._digest)
                self._index = (self._digest, found)
            return self._index[1]

    def documents(self) -> tuple[dict[str, Any], ...]:
        """The complete policies in force, as the PDP read them.

        Returns:
            One dict per policy in the form of Cerbos's policy files, without disabled ones.

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
        """The actions that the policies of a resource kind name, including patterns such as ``view:*``.

        Returns:
            Sorted action names from the resource policies that a request can reach, or, if there are none,
            from the principal and role policies; None if the PDP does not disclose its policies.

        Raises:
            InputError: if no policy is about this kind, or none in this version or scope.
        """
        try:
            found = self.reached(kind, policy_version=policy_version, scope=scope)
        except PDPError:
            if not self._need_inspection():
                return None
            return (
                tuple(sorted(inspection.attributes(inspection.of_kind(self.inspected, kind), "actions")))
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
        """Refuse names that no policy can match: Cerbos would return a plain DENY.

        Args:
            kind: the resource kind.
            actions: the actions to ask about.
            policy_version: as in ``reached``; also the following.
            scope: of the resource.
            principal_policy_version: of the principal.
            principal_scope: of the principal.

        Returns:
            A sentence for each name that only a rule about everything (``*``) matches, and that may be
            misspelt; None if nothing could be checked because the PDP does not disclose its policies.

        Raises:
            InputError: if no policy is about the kind or an action; gives the nearest name.
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
        """Whether the PDP can inspect its policies although it does not return them.

        Raises:
            PDPError: if it should be able to and is not.
        """
        if self._folder is None and self._admin is None:
            return False
        return len(self.inspected) > 0 or self._folder is None

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
            policy_version: of the resource, and of the principal unless given; empty: the PDP's default.
            scope: of the resource, and of the principal unless given.
            principal_policy_version: of the principal, if it differs.
            principal_scope: of the principal, if it differs.

        Raises:
            InputError: if there are none.
            PDPError: if the PDP does not disclose its policies.
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
        """The effective policy version of a request; None if only the PDP knows it."""
        if given or not self._folder:
            return given or None
        return str(self._config["engine"].get("defaultPolicyVersion") or DEFAULT)

    def _scope(self, given: str) -> str | None:
        """The effective scope of a request; None if only the PDP knows it."""
        if given or not self._folder:
            return given or None
        return str(self._config["engine"].get("defaultScope") or "")

    def resource_attributes(self, kind: str) -> tuple[frozenset[str], frozenset[str]]:
        """The resource attributes that any policy reads, and those that the kind's own policies read.

        Raises:
            PDPError: if the PDP does not disclose its policies.
        """
        known = self.inspected
        everywhere = inspection.attributes(known, "resource_attributes")
        return everywhere, inspection.attributes(inspection.of_kind(known, kind), "resource_attributes")

    def principal_attributes(self, kind: str) -> frozenset[str]:
        """The principal attributes that the resource policies of a kind read, without derived roles.

        Raises:
            PDPError: if the PDP does not disclose its policies.
        """
        return inspection.attributes(inspection.of_kind(self.inspected, kind), "principal_attributes")

    def compared_types(self) -> dict[str, str]:
        """The types that the policies compare principal attributes with, as far as their text shows.

        Returns:
            Attribute name to JSON type in words (``{"approval_limit": "a number"}``); empty for a PDP
            at an address that does not disclose its policies.
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
            InputError: for an unknown kind or action, or for a value that can't be sent.
            PDPError: if the PDP refuses the request or is lost.
            LabWarning (a warning): for a name that no policy contains but a rule with ``*`` matches.
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
        """The conditions returned by PlanResources, as dicts; empty for what can't be planned in time.

        Where only numbers of the policies moved since, they are those from before: a number that can be moved
        is known from the text of the policies.
        """
        end = time.monotonic() + PLANNING
        with self.asking():
            kept = self._planned[0] in self._alike and len(self._planned[1]) <= PLANS_KEPT
            if self._folder is None or not kept:
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
                        with suppress(grpc.RpcError):  # the next check restarts a lost server
                            response: Any = future.result()
                            known[key] = messages.plan_condition(response)
        return [known.get(key, {}) for key in keys]

    def check(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None = None,
    ) -> Generator[npt.NDArray[np.bool_]]:
        """Ask many questions with several requests in flight; answers come in the order asked.

        Args:
            batches: a principal and up to 500 resources each, with the same actions within a batch.
            aux_data: sent with every request.

        Yields:
            ``allowed[resource, action]`` for each batch.

        Raises:
            PDPError: if the PDP refuses a request or can't be restarted. What was yielded
                before is correct but incomplete: discard it.
        """
        return self._stream.ask(batches, aux_data, messages.effects, np.concatenate)

    def outputs(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None = None,
    ) -> Generator[list[tuple[str, Any, str]]]:
        """The outputs of the rules that apply; arguments as in ``check``.

        Yields:
            For each batch the outputs: the name of the rule, the value, and the error (empty for none).

        Raises:
            PDPError: as in ``check``.
        """
        return self._stream.ask(batches, aux_data, messages.outputs, _joined)

    def outputs_of_each(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None = None,
    ) -> Generator[list[list[tuple[str, Any, str]]]]:
        """As ``outputs``, with a list for each resource of a batch."""
        return self._stream.ask(batches, aux_data, messages.outputs_of_each, _joined)

    def reports(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None = None,
    ) -> Generator[list[messages.Report]]:
        """Everything that the PDP says about each resource; arguments as in ``check``, with one action each.

        Yields:
            For each batch one report per resource: the effect, the policy that decided, outputs, and what a
            schema refuses.

        Raises:
            PDPError: as in ``check``.
        """
        return self._stream.ask(batches, aux_data, messages.reports, _joined, meta=True)

    def _send(self, request: messages.CheckRequest, aux_data: messages.AuxData | None) -> Sent:
        if self._closed:
            msg = "this PDP is closed; make another with lab.PDP(...)"
            raise PDPError(msg)
        check = self._connection.check
        with interrupts.interrupt_held_back():
            future = check.future((request, aux_data), timeout=self.timeout)
        return Sent(request, future, check)

    def is_connected(self, sent: Sent) -> bool:
        """Whether a request was sent over the connection that is still in use."""
        return sent.check is self._connection.check

    def revive(self) -> bool:
        """Start the server again after it was lost; False for a PDP at an address.

        Raises:
            PDPError: if the policies have changed meanwhile, so that the answers would be inconsistent.
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

    # -- lifecycle -----------------------------------------------------------------------------

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Use one state of the policies, the current files, until the block ends.

        Changes made meanwhile take effect in the next block. Threads take turns.

        Raises:
            PolicyError: if the policies do not compile. The PDP then still uses the last valid policies
                on its socket, and every question of the kit raises until the files are fixed.
            PDPError: if the PDP is closed, or was lost and can't be restarted.
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
        """Make a PDP that was started here use the current policy files.

        Each question of the kit does this first. Call it after an edit if you use ``address`` with
        another client. It is cheap if nothing has changed (it compares file times and sizes).

        Raises:
            PolicyError, PDPError: as in ``asking``.
        """
        with self.asking():
            pass

    def _refresh(self, *, compiled: bool = False) -> None:
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
        disk.policy_folder(self._folder)  # an empty folder would silently deny everything
        fresh = disk.digest(self._folder)
        if fresh != self._digest:
            if not compiled:
                self._compile()
            self._reload(self._server)
        self._alike = {*(self._alike if compiled else ()), fresh}
        self._digest, self._signature = fresh, now
        if disk.signature(self._folder) != now:  # changed while it was read: read it again
            self._refresh()

    def _reload(self, running: server.Server) -> None:
        """Have the server use the files as they are now; if it can't, start another."""
        request = request_pb2.ReloadStoreRequest(wait=True)
        try:
            taken_in = reloading.reload(
                running, lambda: self._ask_admin("ReloadStore", request), self._connection.ask_anything
            )
        except LostError:
            taken_in = False
        if not taken_in and self._server is running:
            self._stop_server()
            self._start()

    def replace_policies(
        self, write: Callable[[], None], undo: Callable[[], None], *, compiled: bool = False
    ) -> None:
        """Change the policy files and use them at once; if they do not compile, put back what was there.

        Args:
            write: changes the files.
            undo: puts back what was there.
            compiled: the files are known to compile, such as with another number in place of a number; Cerbos
                would go on with its last policies if they did not.

        Raises:
            PolicyError: if the changed policies do not compile.
            PDPError: as in ``asking``.
        """
        with self._lock:
            try:
                write()
                self._refresh(compiled=compiled)
            except BaseException:
                undo()
                if not self._closed:
                    self._signature = disk.signature(self._need_folder())
                raise

    @property
    def shown_folder(self) -> str:
        """The folder of policies as it was given; empty for a PDP at an address."""
        return self._shown_folder

    @property
    def signature(self) -> disk.Signature | None:
        """What changes whenever a policy file is written, read now; None for a PDP at an address."""
        return None if self._folder is None else disk.signature(self._folder)

    def is_still(self, digest: str | None) -> bool:
        """Whether policies with this digest are in force and no file was written since; sends no request."""
        in_force = not self._closed and digest is not None and self._digest == digest
        return in_force and self.signature == self._signature

    def check_policies(self) -> None:
        """Compile the policy files.

        Raises:
            PolicyError: if they do not compile.
        """
        self._compile()

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
        self._stop_server()  # killed since the last check: try again
        self._start()
        return self._connection.ask_admin(self._admin, method, request)

    def close(self) -> None:
        """End the server that was started here and close the connection; can be called repeatedly."""
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
