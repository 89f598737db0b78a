"""A connection to a PDP: its address, its services, its Admin API."""

from __future__ import annotations

import base64
import os
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

import grpc
from cerbos.request.v1 import request_pb2
from cerbos.response.v1 import response_pb2
from cerbos.sdk.grpc.client import CerbosClient
from cerbos.svc.v1 import svc_pb2_grpc
from pydantic import SecretStr

from clerk_cerbos_lab.errors import InputError, LabWarning, PDPError
from clerk_cerbos_lab.pdp import interrupts, messages
from clerk_cerbos_lab.pdp.stream import words_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Admin: TypeAlias = tuple[str, SecretStr]

_OPTIONS: Final = {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.initial_reconnect_backoff_ms": 10,
    "grpc.min_reconnect_backoff_ms": 10,
    "grpc.max_reconnect_backoff_ms": 200,
    "grpc.use_local_subchannel_pool": 1,  # a new server at an old address needs a new connection
}


class Connection:
    """A connection that has been tested.

    Args:
        address: of the PDP.
        tls: as in ``lab.PDP``.
        playground_instance: as in ``lab.PDP``.
        timeout: seconds that one request may take.
        wait: whether to wait until the server listens, because it is starting.

    Attributes:
        stub: Cerbos's service.
        check: its CheckResources, called with a request and a JWT to send along.
        plan: its PlanResources, called in the same way.
        version: of Cerbos.

    Raises:
        PDPError: if nothing responds.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: bool | str,
        playground_instance: str | None,
        timeout: float,
        wait: bool,
    ) -> None:
        self._address = address
        self._timeout = timeout
        try:
            self._client = CerbosClient(
                address,
                tls_verify=tls or playground_instance is not None,
                playground_instance=playground_instance or "",
                channel_options=_OPTIONS,
            )
        except Exception as error:  # noqa: BLE001 - the SDK and gRPC raise bare errors for a bad certificate or address
            msg = f"can't connect to {address}: {error}"
            raise PDPError(msg) from None
        channel = self._client._channel  # noqa: SLF001 - the SDK has no public way to the Admin API on the same channel
        self.stub = svc_pb2_grpc.CerbosServiceStub(channel)  # type: ignore[no-untyped-call]
        self.check, self.plan = (
            channel.unary_unary(
                f"/cerbos.svc.v1.CerbosService/{method}",
                request_serializer=messages.with_aux_data,
                response_deserializer=response.FromString,
            )
            for method, response in (
                ("CheckResources", response_pb2.CheckResourcesResponse),
                ("PlanResources", response_pb2.PlanResourcesResponse),
            )
        )
        self._admin_stub = svc_pb2_grpc.CerbosAdminServiceStub(channel)  # type: ignore[no-untyped-call]
        try:
            with interrupts.interrupt_held_back():
                info = self.stub.ServerInfo(
                    request_pb2.ServerInfoRequest(),
                    timeout=min(timeout, 10.0),
                    wait_for_ready=wait,  # a container's port listens before its PDP does
                )
        except grpc.RpcError as error:
            self.close()
            msg = f"no Cerbos PDP responds at {address}: {words_of(error)}{_port_hint(address)}"
            raise PDPError(msg) from None
        self.version: str = info.version

    def ask_admin(self, admin: Admin | None, method: str, request: Any) -> Any:
        """Call a method of the Admin API.

        Args:
            admin: user and password.
            method: its name.
            request: its message.

        Raises:
            LostError: if the server does not respond.
            PDPError: if there is no Admin API, or it refuses the user.
        """
        if admin is None:
            msg = (
                f"the PDP at {self._address} discloses its policies only through its Admin API; pass "
                "admin=(user, password) or set CERBOS_USERNAME and CERBOS_PASSWORD"
            )
            raise PDPError(msg)
        call: Callable[..., Any] = getattr(self._admin_stub, method)
        try:
            with interrupts.interrupt_held_back():
                return call(request, metadata=_authorization(admin), timeout=self._timeout)
        except grpc.RpcError as error:
            code = error.code()
        what = f"the Admin API of the PDP at {self._address}"
        if code is grpc.StatusCode.UNAVAILABLE:
            msg = f"{what} failed ({code.name})"
            raise LostError(msg)
        if code is grpc.StatusCode.UNAUTHENTICATED:
            msg = f"{what} refused the user or password"
        elif code is grpc.StatusCode.UNIMPLEMENTED:
            msg = f"{what} is not enabled (server.adminAPI.enabled)"
        else:
            msg = f"{what} failed ({code.name})"
        raise PDPError(msg)

    def ask_anything(self) -> None:
        """Ask a question whose answer does not matter, and wait until it is there.

        Raises:
            LostError: if it is not answered.
        """
        request = messages.any_question()
        try:
            with interrupts.interrupt_held_back():
                self.stub.CheckResources(request, timeout=self._timeout)
        except grpc.RpcError as error:
            msg = f"the PDP at {self._address} failed ({error.code().name})"
            raise LostError(msg) from None

    def close(self) -> None:
        """Close the connection; can be called repeatedly."""
        with interrupts.interrupt_held_back():
            self._client.close()  # type: ignore[no-untyped-call]


class LostError(PDPError):
    """The server responded earlier and no longer does."""


def address_of(folder: object, address: str | None) -> str | None:
    """The address to use, if any; a folder together with an explicit address is an error."""
    if address is not None and folder is not None:
        msg = "give lab.PDP either a folder of policies or the address of a PDP that has its own, not both"
        raise InputError(msg)
    if address is None:
        address = os.environ.get("CERBOS_ADDRESS") or None
        if address and folder is not None:
            warnings.warn(
                f"CERBOS_ADDRESS is set: using the PDP at {address} with its own policies, not "
                f"those in {folder}",
                LabWarning,
                stacklevel=3,
            )
    if address is not None and re.match(r"https?://", address):
        msg = f"{address} is a URL; use the gRPC address as host:port (Cerbos's default port: 3593)"
        raise InputError(msg)
    return address


def hidden_admin(admin: tuple[str, str | SecretStr] | None) -> Admin | None:
    """User and password, stored so that a traceback with local variables does not show the password.

    Raises:
        InputError: for what is no pair.
    """
    if admin is None:
        return None
    if isinstance(admin, str) or len(admin) != 2:
        del admin
        msg = "admin= must be a pair, (user, password)"
        raise InputError(msg)
    user, password = admin
    return user, password if isinstance(password, SecretStr) else SecretStr(password)


def _authorization(admin: Admin) -> tuple[tuple[str, str]]:
    token = base64.b64encode(f"{admin[0]}:{admin[1].get_secret_value()}".encode()).decode()
    return (("authorization", f"Basic {token}"),)


def admin_from_environment() -> tuple[str, SecretStr] | None:
    """User and password from ``CERBOS_USERNAME`` and ``CERBOS_PASSWORD``."""
    user, password = os.environ.get("CERBOS_USERNAME"), os.environ.get("CERBOS_PASSWORD")
    return (user, SecretStr(password)) if user and password else None


def _port_hint(address: str) -> str:
    return " (3592 is Cerbos's HTTP port; its gRPC port is 3593)" if address.endswith(":3592") else ""
