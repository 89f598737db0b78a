"""The only module that uses Cerbos's protobuf messages: values to requests, responses to effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from cerbos.effect.v1 import effect_pb2
from cerbos.engine.v1 import engine_pb2
from cerbos.policy.v1 import policy_pb2
from cerbos.request.v1 import request_pb2
from cerbos.response.v1 import response_pb2
from cerbos.schema.v1 import schema_pb2
from google.protobuf import json_format, struct_pb2
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from pydantic import Secret, SecretStr

from clerk_cerbos_lab.attribute_names import nested
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.values import MISSING, OTHER_ID, resolve, uses_self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.identity.principals import Principal

Entry: TypeAlias = request_pb2.CheckResourcesRequest.ResourceEntry

CheckRequest: TypeAlias = request_pb2.CheckResourcesRequest

CheckResponse: TypeAlias = response_pb2.CheckResourcesResponse

AuxData: TypeAlias = Secret[request_pb2.AuxData]
"""A JWT as it is sent, wrapped so that a traceback with local variables does not show it."""

ALLOW = effect_pb2.EFFECT_ALLOW

DENY = effect_pb2.EFFECT_DENY


def to_value(value: object) -> struct_pb2.Value:
    """A clean value (see ``values.clean``) as a protobuf ``Value``."""
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, (int, float)):
        return struct_pb2.Value(number_value=float(value))
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, dict):
        fields = {name: to_value(item) for name, item in value.items()}
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
    if isinstance(value, list):
        items = [to_value(item) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    msg = f"a {type(value).__name__} was not cleaned before it was sent"
    raise TypeError(msg)


def from_value(value: struct_pb2.Value) -> Any:
    """A protobuf ``Value`` as a Python value; whole numbers become ints."""
    plain: object = json_format.MessageToDict(value)
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def plain(message: Message) -> dict[str, Any]:
    """A message as a dict, with the field names of its JSON form.

    Raises:
        PDPError: if it contains a field that the installed Cerbos SDK does not know.
    """
    if _has_unknown(message):
        msg = "the PDP returned a field that this Cerbos SDK does not know: upgrade the package 'cerbos'"
        raise PDPError(msg)
    return json_format.MessageToDict(message)


def suite_document(form: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A test suite, or a file of its test data, in the normal form of Cerbos's JSON.

    Args:
        form: ``suite``, ``principals``, ``resources`` or ``auxData``.
        document: as in the file.

    Raises:
        ValueError: if it has an unknown field or a value of another type.
    """
    fixture = policy_pb2.TestFixture
    forms = {"principals": fixture.Principals, "resources": fixture.Resources, "auxData": fixture.AuxData}
    message = policy_pb2.TestSuite() if form == "suite" else forms[form]()
    try:
        return json_format.MessageToDict(json_format.ParseDict(dict(document), message))
    except json_format.ParseError as error:
        raise ValueError(str(error)) from None


def _has_unknown(message: Message) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            held = [item for item in value.values() if isinstance(item, Message)]
        else:
            held = list(value) if field.is_repeated else [value]
        if any(_has_unknown(item) for item in held):
            return True
    return False


def principal_message(principal: Principal, *, policy_version: str, scope: str) -> engine_pb2.Principal:
    """The principal as sent in a request."""
    return engine_pb2.Principal(
        id=principal.id,
        roles=principal.roles,
        policy_version=policy_version,
        scope=scope,
        attr={name: to_value(value) for name, value in principal.attr.items()},
    )


def nobody() -> engine_pb2.Principal:
    """A principal for requests in which only the resource matters."""
    return engine_pb2.Principal(id="nobody", roles=["nobody"], policy_version="default")


def any_question() -> CheckRequest:
    """A request whose answer does not matter."""
    resource = engine_pb2.Resource(kind="nothing", id="nothing", policy_version="default")
    return CheckRequest(principal=nobody(), resources=[Entry(resource=resource, actions=["nothing"])])


def plan_request(
    principal: engine_pb2.Principal,
    action: str,
    attributes: Mapping[str, object],
    *,
    kind: str,
    policy_version: str,
    scope: str,
) -> request_pb2.PlanResourcesRequest:
    """A request for the conditions that remain when these attributes are known."""
    return request_pb2.PlanResourcesRequest(
        action=action,
        principal=principal,
        resource=engine_pb2.PlanResourcesInput.Resource(
            kind=kind,
            policy_version=policy_version,
            scope=scope,
            attr={name: to_value(value) for name, value in attributes.items()},
        ),
    )


class Entries:
    """The resources of one batch, to be asked about for one principal after another.

    Whatever does not depend on the principal is built once. Values that contain ``SELF`` are
    overwritten for each principal: a request copies its entries when it is created.
    """

    def __init__(
        self,
        resources: Sequence[tuple[str, Mapping[str, object]]],
        *,
        kind: str,
        actions: Sequence[str],
        policy_version: str,
        scope: str,
        other: str,
    ) -> None:
        self.messages: list[Entry] = []
        self._own: list[tuple[struct_pb2.Value, object]] = []
        self._other = other
        known: dict[int, tuple[struct_pb2.Value, bool]] = {}  # each value is converted once
        blank = Entry(
            actions=actions,
            resource=engine_pb2.Resource(kind=kind, policy_version=policy_version, scope=scope),
        )
        for resource_id, attributes in resources:
            entry = Entry()
            entry.CopyFrom(blank)
            entry.resource.id = resource_id
            attr = entry.resource.attr
            for name, value in attributes.items():
                if value is MISSING:
                    continue
                held = known.get(id(value))
                if held is None:
                    wire = to_value(resolve(value, own="", other=other))
                    held = known[id(value)] = (wire, uses_self(value))
                attr[name].CopyFrom(held[0])
                if held[1]:
                    self._own.append((attr[name], value))
            self.messages.append(entry)

    def for_principal(self, own: str) -> list[Entry]:
        """The entries with this id in place of ``SELF``; valid until the next call."""
        for message, value in self._own:
            message.CopyFrom(to_value(resolve(value, own=own, other=self._other)))
        return self.messages


@dataclass(frozen=True, slots=True)
class Request:
    """One question about one action.

    Attributes:
        principal: who asks.
        action: what they want to do.
        kind: the resource kind.
        resource_id: of the resource.
        attributes: of the resource by name (see ``attribute_names``), perhaps with ``SELF``, ``OTHER`` and
            ``MISSING``.
        resource: policy version and scope of the resource.
        who: policy version and scope sent with the principal.
        aux_data: a JWT.
    """

    principal: Principal
    action: str
    kind: str
    resource_id: str
    attributes: Mapping[str, Any]
    resource: tuple[str, str]
    who: tuple[str, str]
    aux_data: AuxData | None = None

    def batch(self, kind: str, actions: Sequence[str]) -> tuple[engine_pb2.Principal, list[Entry]]:
        """The request as it is sent, about another kind and other actions of a copy."""
        version, scope = self.resource
        entries = Entries(
            [(self.resource_id, nested(self.attributes))],
            kind=kind,
            actions=actions,
            policy_version=version,
            scope=scope,
            other=OTHER_ID,
        )
        own_version, own_scope = self.who
        message = principal_message(self.principal, policy_version=own_version, scope=own_scope)
        return message, entries.for_principal(self.principal.id)


def recorded(
    principal: Mapping[str, Any], resource: Mapping[str, Any], actions: Sequence[str]
) -> tuple[engine_pb2.Principal, Entry]:
    """A principal and a resource as Cerbos's decision log has them, as they are sent.

    Raises:
        ValueError: if they are in another form; gives the reason.
    """
    try:
        return (
            json_format.ParseDict(dict(principal), engine_pb2.Principal()),
            Entry(resource=json_format.ParseDict(dict(resource), engine_pb2.Resource()), actions=actions),
        )
    except json_format.ParseError as error:
        raise ValueError(str(error)) from None


def hidden_aux_data(given: str | SecretStr | Mapping[str, str] | AuxData | None) -> AuxData | None:
    """A JWT, or ``{"token": …, "key_set_id": …}``, as Cerbos's auxiliary data.

    Raises:
        InputError: for anything else.
    """
    if given is None:
        return None
    held = given.get_secret_value() if isinstance(given, Secret | SecretStr) else given
    if isinstance(held, request_pb2.AuxData):
        return AuxData(held)
    parts = {"token": held} if isinstance(held, str) else held
    named = isinstance(parts, dict) and "token" in parts and not set(parts) - {"token", "key_set_id"}
    if not named or not all(isinstance(part, str) for part in parts.values()):
        del given, held, parts
        msg = 'aux_data must be a JWT, or {"token": …, "key_set_id": …}, both strings'
        raise InputError(msg)
    return AuxData(request_pb2.AuxData(jwt=request_pb2.AuxData.JWT(**parts)))


def with_aux_data(sent: tuple[CheckRequest | request_pb2.PlanResourcesRequest, AuxData | None]) -> bytes:
    """A request as it is sent: the JWT is only in the bytes, not in a message that stays in memory."""
    request, aux_data = sent
    text = request.SerializeToString()
    if aux_data is None:
        return text
    # Protobuf reads two concatenated messages as one message with the fields of both.
    return text + type(request)(aux_data=aux_data.get_secret_value()).SerializeToString()


def effects(request: CheckRequest, response: CheckResponse) -> npt.NDArray[np.bool_]:
    """The response as ``allowed[resource, action]``, by position; every resource has the same actions.

    Raises:
        PDPError: if the response does not contain one ALLOW or DENY for each question.
    """
    if len(response.results) != len(request.resources):
        msg = (
            f"the PDP returned results for {len(response.results)} of {len(request.resources)} resources; "
            "no decision of this request is used"
        )
        raise PDPError(msg)
    actions = list(request.resources[0].actions)
    if len(actions) == 1:
        only = actions[0]
        codes = np.array([[result.actions[only]] for result in response.results], dtype=np.int8)
    else:
        maps = [result.actions for result in response.results]
        codes = np.array([[held[action] for action in actions] for held in maps], dtype=np.int8)
    allowed: npt.NDArray[np.bool_] = codes == ALLOW
    if not np.all(allowed | (codes == DENY)):
        msg = "the PDP returned an action without ALLOW or DENY; no decision of this request is used"
        raise PDPError(msg)
    return allowed


def outputs(request: CheckRequest, response: CheckResponse) -> list[tuple[str, Any, str]]:
    """The outputs in a response: the name of the rule, the value, the error (see ``outputs_of_each``)."""
    return [output for own in outputs_of_each(request, response) for output in own]


def outputs_of_each(request: CheckRequest, response: CheckResponse) -> list[list[tuple[str, Any, str]]]:
    """The same for each resource.

    Raises:
        PDPError: if the response does not contain one result for each resource.
    """
    if len(response.results) != len(request.resources):
        msg = f"the PDP returned results for {len(response.results)} of {len(request.resources)} resources"
        raise PDPError(msg)
    return [
        [(held.src.rpartition("#")[2], _numbers_kept(held.val), held.error) for held in result.outputs]
        for result in response.results
    ]


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a rule.

    Attributes:
        rule: the name of the rule; empty for a role policy that refuses.
        policy: such as ``resource.expense.vdefault``.
        value: None for null or no value.
        error: Cerbos's words; empty for none.
    """

    rule: str
    policy: str
    value: Any
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a response says about one action on one resource.

    Attributes:
        allowed: the effect.
        outputs: of the rules, each once, in Cerbos's order.
        policy: the policy that decided; empty if none did.
        scope: its scope.
        derived_roles: those that Cerbos found to be held.
        refusals: what a schema refuses: where it is (``principal`` or ``resource``), the path, and why.
    """

    allowed: bool
    outputs: tuple[Output, ...]
    policy: str
    scope: str
    derived_roles: tuple[str, ...]
    refusals: tuple[tuple[str, str, str], ...]


def reports(request: CheckRequest, response: CheckResponse) -> list[Report]:
    """The response in full, for requests about one action of each resource: one report for each.

    Raises:
        PDPError: if the response does not contain one ALLOW or DENY for each resource.
    """
    if len(response.results) != len(request.resources):
        msg = f"the PDP returned results for {len(response.results)} of {len(request.resources)} resources"
        raise PDPError(msg)
    found = []
    for entry, result in zip(request.resources, response.results, strict=True):
        effect = result.actions[entry.actions[0]]
        if effect not in {ALLOW, DENY}:
            msg = "the PDP returned an action without ALLOW or DENY; no decision of this request is used"
            raise PDPError(msg)
        decided = result.meta.actions[entry.actions[0]]
        outputs = {
            held.src: Output(
                held.src.rpartition("#")[2],
                held.src.rpartition("#")[0],
                _numbers_kept(held.val),
                held.error,
            )
            for held in reversed(result.outputs)  # a rule is repeated for each role: the first counts
        }
        refusals = tuple(
            ("principal" if error.source == _OF_PRINCIPAL else "resource", error.path, error.message)
            for error in result.validation_errors
        )
        found.append(
            Report(
                effect == ALLOW,
                tuple(reversed(outputs.values())),
                decided.matched_policy,
                decided.matched_scope,
                tuple(result.meta.effective_derived_roles),
                refusals,
            )
        )
    return found


_OF_PRINCIPAL: Final = schema_pb2.ValidationError.SOURCE_PRINCIPAL


def plan_condition(response: response_pb2.PlanResourcesResponse) -> dict[str, Any]:
    """The condition of a plan: ``{"value": …}``, ``{"variable": …}`` or ``{"expression": {…}}``."""
    return _operand(response.filter.condition)


def _operand(operand: Any) -> dict[str, Any]:
    kind = operand.WhichOneof("node")
    if kind == "value":
        return {"value": _numbers_kept(operand.value)}
    if kind == "variable":
        return {"variable": operand.variable}
    if kind is None:
        return {}
    parts = [_operand(part) for part in operand.expression.operands]
    return {"expression": {"operator": operand.expression.operator, "operands": parts}}


def _numbers_kept(value: struct_pb2.Value) -> Any:
    """A value with every number kept as a double, including infinities; None for no value."""
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return [_numbers_kept(item) for item in value.list_value.values]
    if kind == "struct_value":
        return {name: _numbers_kept(item) for name, item in value.struct_value.fields.items()}
    return None if kind in {None, "null_value"} else getattr(value, kind)
