"""The people of the sample as users of Auth0, Okta and WorkOS, and as a table: the same roles and attributes.

`make_sample.py` runs it. Nothing is drawn at random: ids are digests of Clerk's, so that a person keeps them.
"""

import csv
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ROLES = ("employee", "manager", "finance", "admin", "Manager")  # the last is wrong on purpose
ATTRIBUTES = ("region", "department", "approval_limit", "id")
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def roles_of(user: Json) -> list[str]:
    """Return the roles that the kit reads from Clerk's metadata; none if there is no usable one."""
    public = user["public_metadata"]
    held = public.get("role", public.get("roles"))
    names = [held] if isinstance(held, str) else held
    if not isinstance(names, list):
        return []
    return list(dict.fromkeys(name for name in names if name.strip()))


def attributes_of(user: Json) -> Json:
    """Return the attributes that policies may read."""
    return {name: user["public_metadata"][name] for name in ATTRIBUTES if name in user["public_metadata"]}


def digest(prefix: str, text: str, alphabet: str, length: int) -> str:
    """Return an id in a provider's form."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}{text}".encode()).digest(), "big")
    characters = []
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        characters.append(alphabet[place])
    return prefix + "".join(characters)


def time_of(milliseconds: int) -> str:
    """Return a time in the form of RFC 3339."""
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def email_of(user: Json, number: int) -> str:
    """Return the primary address."""
    held: dict[str, str] = {one["id"]: one["email_address"] for one in user["email_addresses"]}
    return held.get(user["primary_email_address_id"], f"nobody.{number:02}@example.com")


def name_of(user: Json) -> str:
    """Return the whole name."""
    return " ".join(part for part in (user["first_name"], user["last_name"]) if part)


def without_none(value: Json) -> Json:
    """Return the fields that are there."""
    return {name: item for name, item in value.items() if item is not None}


def holders(users: list[Json], ids: list[str], role: str) -> list[str]:
    """Return the ids of those who have a role."""
    return [own for user, own in zip(users, ids, strict=True) if role in roles_of(user)]


# --- Auth0 --------------------------------------------------------------------------------------


def auth0_ids(users: list[Json]) -> list[str]:
    """Return Auth0's ids."""
    return [digest("auth0|", user["id"], "0123456789abcdef", 24) for user in users]


def auth0_users(users: list[Json]) -> list[Json]:
    """Return the users in the shape of Auth0's Management API."""
    return [
        without_none(
            {
                "user_id": own,
                "email": email_of(user, number),
                "email_verified": True,
                "name": name_of(user) or email_of(user, number),
                "given_name": user["first_name"],
                "family_name": user["last_name"],
                "nickname": user["username"],
                "picture": user["image_url"],
                "identities": [
                    {
                        "connection": "Username-Password-Authentication",
                        "user_id": own.removeprefix("auth0|"),
                        "provider": "auth0",
                        "isSocial": False,
                    }
                ],
                "created_at": time_of(user["created_at"]),
                "updated_at": time_of(user["updated_at"]),
                "app_metadata": attributes_of(user),
                "user_metadata": user["unsafe_metadata"],
                "blocked": True if user["banned"] or user["locked"] else None,
                "logins_count": 7,
            }
        )
        for number, (user, own) in enumerate(zip(users, auth0_ids(users), strict=True))
    ]


def auth0_roles(users: list[Json]) -> list[Json]:
    """Return the roles, each with the users to whom it is assigned."""
    return [
        {
            "id": digest("rol_", role, BASE62, 16),
            "name": role,
            "description": f"May do what a {role} does",
            "users": [{"user_id": own} for own in holders(users, auth0_ids(users), role)],
        }
        for role in ROLES
    ]


# --- Okta ---------------------------------------------------------------------------------------


def okta_ids(users: list[Json]) -> list[str]:
    """Return Okta's ids."""
    return [digest("00u", user["id"], BASE62, 17) for user in users]


def okta_users(users: list[Json]) -> list[Json]:
    """Return the users in the shape of Okta's API; region and approval_limit are custom attributes."""
    return [
        {
            "id": own,
            "status": "SUSPENDED" if user["banned"] else "LOCKED_OUT" if user["locked"] else "ACTIVE",
            "created": time_of(user["created_at"]),
            "lastLogin": None,
            "lastUpdated": time_of(user["updated_at"]),
            "type": {"id": "otysampleusersokta00"},
            "profile": {
                "firstName": user["first_name"],
                "lastName": user["last_name"],
                "email": email_of(user, number),
                "login": email_of(user, number),
                **{name: value for name, value in attributes_of(user).items() if name != "id"},
            },
            "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
        }
        for number, (user, own) in enumerate(zip(users, okta_ids(users), strict=True))
    ]


def okta_groups(users: list[Json]) -> list[Json]:
    """Return the groups, each with its users; Everyone is built in."""
    ids = okta_ids(users)
    members = {"Everyone": ids} | {role: holders(users, ids, role) for role in ROLES}
    return [
        {
            "id": digest("00g", name, BASE62, 17),
            "created": "2026-01-05T09:00:00.000Z",
            "lastUpdated": "2026-01-05T09:00:00.000Z",
            "lastMembershipUpdated": "2026-03-30T00:00:00.000Z",
            "objectClass": ["okta:user_group"],
            "type": "BUILT_IN" if name == "Everyone" else "OKTA_GROUP",
            "profile": {"name": name, "description": f"The group {name}"},
            "users": [{"id": own} for own in held],
        }
        for name, held in members.items()
    ]


# --- WorkOS -------------------------------------------------------------------------------------


def workos_ids(users: list[Json], prefix: str = "user_01") -> list[str]:
    """Return WorkOS's ids."""
    return [digest(prefix, user["id"], BASE32, 24) for user in users]


def as_text(value: object) -> str:
    """Return a value as WorkOS's metadata can hold it: a text as it is, unless it would be read as JSON."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)


def workos_user(user: Json, own: str, number: int) -> Json:
    """Return one user in the shape of WorkOS's API."""
    return {
        "object": "user",
        "id": own,
        "first_name": user["first_name"],
        "last_name": user["last_name"],
        "profile_picture_url": user["image_url"],
        "email": email_of(user, number),
        "email_verified": True,
        "external_id": user["external_id"],
        "metadata": {name: as_text(value) for name, value in attributes_of(user).items()},
        "last_sign_in_at": None,
        "locale": user["locale"],
        "created_at": time_of(user["created_at"]),
        "updated_at": time_of(user["updated_at"]),
    }


def a_list(data: list[Json]) -> Json:
    """Return a page of a list that is the only one."""
    return {"object": "list", "data": data, "list_metadata": {"before": None, "after": None}}


def workos_users(users: list[Json]) -> Json:
    """Return all users, as a page."""
    made = zip(users, workos_ids(users), strict=True)
    return a_list([workos_user(user, own, number) for number, (user, own) in enumerate(made)])


def workos_memberships(users: list[Json]) -> Json:
    """Return the memberships of those who have a role, all in one organization."""
    return a_list(
        [
            {
                "object": "organization_membership",
                "id": digest("om_01", user["id"], BASE32, 24),
                "user_id": own,
                "organization_id": digest("org_01", "Lantern Works", BASE32, 24),
                "organization_name": "Lantern Works",
                "status": "active",
                "directory_managed": False,
                "custom_attributes": {},
                "role": {"slug": roles_of(user)[0]},
                "roles": [{"slug": role} for role in roles_of(user)],
                "created_at": time_of(user["created_at"]),
                "updated_at": time_of(user["created_at"]),
                "user": workos_user(user, own, number),
            }
            for number, (user, own) in enumerate(zip(users, workos_ids(users), strict=True))
            if roles_of(user)
        ]
    )


def workos_directory_users(users: list[Json]) -> Json:
    """Return the users of a directory, whose groups are named as the roles."""
    directory = digest("directory_01", "Lantern Works", BASE32, 24)
    organization = digest("org_01", "Lantern Works", BASE32, 24)
    ids = workos_ids(users, "directory_user_01")
    return a_list(
        [
            {
                "object": "directory_user",
                "id": own,
                "directory_id": directory,
                "organization_id": organization,
                "idp_id": f"{number:04}",
                "email": email_of(user, number),
                "first_name": user["first_name"],
                "last_name": user["last_name"],
                "state": "suspended" if user["banned"] else "inactive" if user["locked"] else "active",
                "raw_attributes": {},
                "custom_attributes": attributes_of(user),
                "created_at": time_of(user["created_at"]),
                "updated_at": time_of(user["updated_at"]),
                "groups": [
                    {
                        "object": "directory_group",
                        "id": digest("directory_group_01", role, BASE32, 24),
                        "idp_id": role,
                        "directory_id": directory,
                        "organization_id": organization,
                        "name": role,
                        "created_at": "2026-01-05T09:00:00.000Z",
                        "updated_at": "2026-01-05T09:00:00.000Z",
                    }
                    for role in roles_of(user)
                ],
            }
            for number, (user, own) in enumerate(zip(users, ids, strict=True))
        ]
    )


# --- files --------------------------------------------------------------------------------------


def write_json(path: Path, value: Json | list[Json]) -> None:
    """Write JSON with an entry on each line, the same bytes on every system."""
    entries = value["data"] if isinstance(value, dict) else value
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    text = f"[\n{lines}\n]\n"
    if isinstance(value, dict):
        rest = json.dumps(value["list_metadata"])
        text = f'{{"object": "list", "data": [\n{lines}\n], "list_metadata": {rest}}}\n'
    path.write_text(text, encoding="utf-8", newline="\n")


def write(folder: Path, users: list[Json]) -> None:
    """Write the files of the other providers, and the table."""
    write_json(folder / "auth0_users.json", auth0_users(users))
    write_json(folder / "auth0_roles.json", auth0_roles(users))
    write_json(folder / "okta_users.json", okta_users(users))
    write_json(folder / "okta_groups.json", okta_groups(users))
    write_json(folder / "workos_users.json", workos_users(users))
    write_json(folder / "workos_organization_memberships.json", workos_memberships(users))
    write_json(folder / "workos_directory_users.json", workos_directory_users(users))
    with (folder / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "roles", "active", *ATTRIBUTES[:3]])
        for user in users:
            held = attributes_of(user)
            texts = [as_text(held[name]) if name in held else "" for name in ATTRIBUTES[:3]]
            active = "false" if user["banned"] or user["locked"] else "true"
            writer.writerow([user["id"], ";".join(roles_of(user)), active, *texts])
