"""Generated code is written whole, has what it was made from, and what no application could do is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from app_code import CLAIMS, PLAIN, QUESTION

import clerk_cerbos_lab as lab

Json = dict[str, Any]


def test_version_and_scope_are_sent_as_the_question_has_them(tmp_path: Path) -> None:
    code = lab.to_code("nextjs", question=QUESTION)["check.ts"]
    assert 'principal: { ...principal, policyVersion: "p", scope: "acme.hr" }' in code
    assert 'policyVersion: "staging",\n      scope: "acme.hr",' in code
    python = lab.to_code("python", question=QUESTION)["check.py"]
    assert 'asked.policy_version = "p"' in python
    assert 'policy_version="staging"' in python
    del tmp_path


@pytest.mark.parametrize(
    ("target", "arguments", "says"),
    [
        ("nextj", {}, "no target 'nextj'; did you mean 'nextjs'"),
        ("nextjs", {"mapping": {"roles": []}}, "must be a lab.Mapping, not a dict"),
        ("nextjs", {"question": "expense"}, "must be a lab.Decisions or its question"),
        ("nextjs", {"claims": {"public_metadata": "m"}}, "claims= is for Auth0 and Okta"),
        ("python", {"claims": {"public_metadata": "m"}}, "claims= is for Next.js"),
        ("nextjs", {"mapping": lab.Mapping(profile={"x": "email_addresses.0"})}, "no 'email_addresses'"),
        ("nextjs", {"mapping": lab.Mapping.of("auth0")}, "no claim for 'assigned_roles' by itself"),
        ("nextjs", {"mapping": lab.Mapping.of("okta", metadata="*")}, "no claim for 'profile' by itself"),
        ("nextjs", {"mapping": lab.Mapping.of("workos-directory")}, "do not sign in"),
        ("python", {"mapping": lab.Mapping.of("workos-directory")}, "do not sign in"),
        ("nextjs", {"mapping": lab.Mapping.of("workos", profile={"x": "emial"})}, "did you mean 'email'"),
        (
            "nextjs",
            {
                "mapping": lab.Mapping.of("auth0", metadata="*"),
                "claims": {**CLAIMS, "app_metadata.role": "r"},
            },
            "both the whole of 'app_metadata' and a part",
        ),
        (
            "nextjs",
            {
                "mapping": lab.Mapping.of("auth0", organization_roles=True),
                "claims": {"assigned_roles": "r", "organization_roles": "r"},
            },
            "gives 'r' to two parts of the user",
        ),
    ],
)
def test_what_an_application_could_not_do_is_refused(target: Any, arguments: Json, says: str) -> None:
    with pytest.raises(lab.InputError, match=says):
        lab.to_code(target, **arguments)


def test_code_is_shown_written_whole_and_read_by_name(tmp_path: Path) -> None:
    code = lab.to_code("nextjs", question=PLAIN)
    assert list(code) == ["principal.ts", "identity.ts", "check.ts"]
    assert len(code) == 3
    assert repr(code).count("// --- ") == 3
    assert "npm install @cerbos/grpc" in repr(code)
    assert [path.name for path in code.write(tmp_path)] == list(code)
    assert (tmp_path / "check.ts").read_text("utf-8") == code["check.ts"]
    with pytest.raises(lab.InputError, match=r"no file 'chek\.ts'; did you mean 'check\.ts'"):
        code["chek.ts"]
    with pytest.raises(lab.InputError, match="there is no folder"):
        code.write(tmp_path / "nowhere")
    with pytest.raises(dataclasses.FrozenInstanceError):
        code.target = "python"  # type: ignore[misc]
