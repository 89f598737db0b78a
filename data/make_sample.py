"""Make the sample data: invented users of Clerk, Auth0, Okta and WorkOS, and past expenses.

Run `python data/make_sample.py`: it writes the files beside itself, the same bytes every time.
Nobody in them exists: names are drawn at random, e-mail addresses end in example.com or
example.org, telephone numbers come from the range reserved for fiction. README.md explains each column.
"""

import csv
import json
import random
import runpy
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

SEED = 20260512
USERS = 96
EXPENSES = 2400

REGIONS = ("northeast", "south", "midwest", "west")
DEPARTMENTS = ("engineering", "sales", "marketing", "operations", "finance")

DAY = 24 * 60 * 60 * 1000  # milliseconds, like all of Clerk's timestamps
JOINED_LAST = 1_774_828_800_000  # 2026-03-30: everybody joined before the first expense
SEEN_LAST = 1_790_640_000_000  # 2026-09-29
QUARTERS = (date(2026, 4, 1), date(2026, 9, 30))  # of the expenses, both days included

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ADJECTIVES = ("amber", "brisk", "calm", "dapper", "eager", "fuzzy", "gentle", "happy", "ivory")
ANIMALS = ("otter", "heron", "badger", "lynx", "marten", "puffin", "gecko", "ibis", "quokka")

# Given and family names of one script are combined at random.
NAMES = (
    (
        "Zoë Jörn Łucja Çağla Åse Mātīss Thúy Inês",
        "O'Dunmore Ångfors Żurawik Güneşli Peñalva D'Arbeille Ņikla",
    ),
    ("Νεφέλη Λέανδρος Φαίδρα Ορέστης", "Κυανίδης Αμπελάκου Θαλασσινού Πετρίδης"),
    ("Милана Остап Ярина Тимур Злата", "Берёзкин Журавль Соколенко Вишневая"),
    ("ليلى سامر نور هالة", "البحري النجار الزيتوني الورد"),
    ("נועה איתן תמר גיל", "אלמגור בן־חוף הדס שקד"),
    ("子涵 雨桐 浩然 思远", "林 欧阳 沈 苏"),
    ("さくら 蓮 ひなた 湊", "青葉 星野 小鳥遊 森川"),
    ("서연 도윤 하은 지호", "윤 남궁 한 문"),
    ("आरव मीरा काव्या ईशान", "त्रिवेणी सागरकर वनमाली पर्वत"),
)

Json = dict[str, Any]


# --- profiles ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Profile:
    """The parts of a user that policies read; `user` replaces fields of the Clerk user."""

    public: Json
    kind: str = ""  # empty: well-formed
    unsafe: Json | None = None
    user: Json = field(default_factory=dict)


def broken_profiles(somebody_else: str) -> dict[int, Profile]:
    """Return users whose data is wrong in one way each, by position in the file from 0.

    All of them are valid under Clerk's schema, which says nothing about what metadata holds.
    """
    south = {"region": "south", "department": "sales"}
    west = {"region": "west", "department": "operations"}
    manager = {"role": "manager", **south}
    employee = {"role": "employee", **west}
    locked = {"locked": True, "lockout_expires_in_seconds": 3600}
    nameless = {"first_name": None, "last_name": None, "username": None}
    markup = {"first_name": "<b>Bo</b>", "last_name": "<i>&amp;"}
    finance = {"role": "finance", "region": "west", "department": "finance"}
    return {
        2: Profile({**south, "approval_limit": 7500}, "no role, yet an approval limit"),
        5: Profile({"roles": ["employee", "manager", "employee"], **west}, "roles with a duplicate"),
        8: Profile({**south, "role": ""}, "role is an empty string"),
        11: Profile({**west, "role": "  "}, "role is only spaces"),
        14: Profile({**south, "role": 7}, "role is a number"),
        17: Profile({**west, "role": None}, "role is null"),
        20: Profile({**south, "role": ["manager"]}, "role is a list"),
        23: Profile({**west, "roles": []}, "roles is an empty list"),
        26: Profile({**manager, "role": "Manager"}, "role in another case"),
        29: Profile({**employee, "roles": ["admin"]}, "role and roles disagree"),
        32: Profile({**manager, "approval_limit": "5000"}, "approval_limit is a string"),
        35: Profile({**manager, "approval_limit": None}, "approval_limit is null"),
        38: Profile({**manager, "approval_limit": -1}, "approval_limit is negative"),
        41: Profile({**manager, "approval_limit": True}, "approval_limit is a boolean"),
        44: Profile({"role": "manager", "department": "marketing"}, "no region"),
        47: Profile({**manager, "region": ["south", "west"]}, "region is a list"),
        50: Profile({**manager, "region": "south "}, "region ends in a space"),
        53: Profile({**manager, "region": "South"}, "region in another case"),
        56: Profile({**manager, "region": "nothwest"}, "region is unknown"),
        59: Profile({"role": "manager", "region": "west"}, "no department"),
        62: Profile({}, "public_metadata is empty"),
        65: Profile({**manager, "approval_limit": 25000}, "banned", user={"banned": True}),
        68: Profile(finance, "locked", user={**locked, "verification_attempts_remaining": 0}),
        71: Profile({**employee, "id": somebody_else}, "metadata key id names somebody else"),
        74: Profile(dict(west), "a role in unsafe_metadata only", unsafe={"role": "manager"}),
        77: Profile(employee, "admin by their own word", unsafe={"role": "admin", "theme": "dark"}),
        80: Profile(
            employee,
            "no name, no username, no e-mail",
            user={**nameless, "email_addresses": [], "primary_email_address_id": None},
        ),
        83: Profile(employee, "markup in a name", user=markup),
    }


def well_formed_profiles() -> list[Profile]:
    """Return the people of four regions, and a few above them."""
    people: list[Json] = []
    for index, region in enumerate(REGIONS):

        def add(who: Json, department: str, where: str = region) -> None:
            people.append({**who, "region": where, "department": department})

        for turn, limit in enumerate((None, 7500, 15000, 25000)):
            extra = {} if limit is None else {"approval_limit": limit}
            add({"role": "manager", **extra}, DEPARTMENTS[(index + turn) % 4])
        add({"roles": ["employee", "manager"], "approval_limit": 7500}, DEPARTMENTS[index])
        add({"role": "finance"}, "finance")
        add({"role": "finance", "approval_limit": 50000}, "finance")
        for turn in range(8):
            add({"role": "employee"}, DEPARTMENTS[turn % len(DEPARTMENTS)])
        add({}, DEPARTMENTS[index + 1])  # no role: Clerk's plain user
    above: list[tuple[Json, str, str]] = [
        ({"role": "admin"}, "northeast", "operations"),
        ({"roles": ["employee", "admin"]}, "west", "engineering"),
        ({"roles": ["finance", "manager"], "approval_limit": 100000}, "south", "finance"),
        ({"roles": ["employee", "finance"]}, "midwest", "finance"),
    ]
    for who, region, department in above:
        people.append({**who, "region": region, "department": department})
    return [Profile(public) for public in people]


def profiles(rng: random.Random, somebody_else: str) -> list[Profile]:
    """Return a profile for each user: the broken at their positions, the others shuffled."""
    broken = broken_profiles(somebody_else)
    others = well_formed_profiles()
    if len(broken) + len(others) != USERS:
        msg = f"{len(broken)} broken and {len(others)} other profiles are not {USERS}"
        raise ValueError(msg)
    rng.shuffle(others)
    rest = iter(others)
    return [broken[position] if position in broken else next(rest) for position in range(USERS)]


# --- users ------------------------------------------------------------------------------------


def new_id(rng: random.Random, prefix: str) -> str:
    """Return an id in Clerk's form: a prefix and 27 base-62 characters."""
    return prefix + "_" + "".join(rng.choices(BASE62, k=27))


def verification(kind: str, strategy: str, status: str = "verified") -> Json:
    """Return how an e-mail address or telephone number was verified."""
    return {
        "object": f"verification_{kind}",
        "status": status,
        "strategy": strategy,
        "attempts": None if kind == "admin" else 1,
        "expire_at": None,
    }


def email_address(rng: random.Random, address: str, created_at: int) -> Json:
    """Return one of a user's e-mail addresses."""
    ways = [
        verification("otp", "email_code"),
        verification("admin", "admin"),
        verification("ticket", "ticket"),
        verification("otp", "email_code", "unverified"),
        None,
    ]
    return {
        "id": new_id(rng, "idn"),
        "object": "email_address",
        "email_address": address,
        "reserved": False,
        "verification": rng.choices(ways, weights=(70, 15, 8, 4, 3))[0],
        "linked_to": [],
        "matches_sso_connection": False,
        "created_at": created_at,
        "updated_at": created_at,
    }


def phone_number(rng: random.Random, created_at: int) -> Json:
    """Return a telephone number from 555-0100 to 555-0199, the range reserved for fiction."""
    return {
        "id": new_id(rng, "idn"),
        "object": "phone_number",
        "phone_number": f"+1{rng.choice((202, 312, 415, 512))}55501{rng.randrange(100):02}",
        "reserved_for_second_factor": False,
        "default_second_factor": False,
        "reserved": False,
        "verification": verification("otp", "phone_code"),
        "linked_to": [],
        "backup_codes": None,
        "created_at": created_at,
        "updated_at": created_at,
    }


def google_account(rng: random.Random, first: str, last: str, email: Json) -> Json:
    """Return a linked Google account: personal data that no policy needs."""
    return {
        "object": "google_account",
        "id": new_id(rng, "eac"),
        "provider": "oauth_google",
        "identification_id": new_id(rng, "idn"),
        "provider_user_id": f"{rng.randrange(10**20):020}",
        "approved_scopes": "email profile",
        "email_address": email["email_address"],
        "first_name": first,
        "last_name": last,
        "image_url": None,
        "username": None,
        "public_metadata": {},
        "label": None,
        "created_at": email["created_at"],
        "updated_at": email["created_at"],
        "verification": verification("oauth", "oauth_google") | {"expire_at": email["created_at"] + DAY},
    }


def clerk_user(rng: random.Random, user_id: str, number: int, profile: Profile, created_at: int) -> Json:
    """Return one user in the shape of Clerk's `User`."""
    script = NAMES[0] if rng.random() < 0.3 else rng.choice(NAMES[1:])
    first, last = (rng.choice(part.split()) for part in script)
    username = f"{rng.choice(ADJECTIVES)}_{rng.choice(ANIMALS)}_{number:02}"
    mail = username.replace("_", ".")
    emails = [email_address(rng, f"{mail}@example.com", created_at)]
    primary = emails[0]
    if rng.random() < 0.2:  # the primary address is not always the first
        emails.insert(0, email_address(rng, f"{mail}@example.org", created_at + DAY))
    phones = [phone_number(rng, created_at)] if rng.random() < 0.4 else []
    accounts = [google_account(rng, first, last, primary)] if rng.random() < 0.15 else []
    last_seen = None if rng.random() < 0.06 else SEEN_LAST - rng.randrange(60) * DAY
    has_totp = rng.random() < 0.25
    user = {
        "id": user_id,
        "object": "user",
        "external_id": f"hr-{number:04}" if rng.random() < 0.6 else None,
        "primary_email_address_id": primary["id"],
        "primary_phone_number_id": phones[0]["id"] if phones else None,
        "primary_web3_wallet_id": None,
        "username": username if rng.random() < 0.8 else None,
        "first_name": first,
        "last_name": last,
        "locale": rng.choice((None, "en-US", "es-ES", "ja-JP")),
        "image_url": f"https://img.example.com/{number:02}.png",
        "has_image": rng.random() < 0.5,
        "public_metadata": profile.public,
        "private_metadata": {"employee_number": f"E-{10_000 + number}"},
        "unsafe_metadata": rng.choice(({}, {"theme": "dark"}, {"theme": "light"})),
        "email_addresses": emails,
        "phone_numbers": phones,
        "web3_wallets": [],
        "passkeys": [],
        "password_enabled": True,
        "two_factor_enabled": has_totp,
        "totp_enabled": has_totp,
        "backup_code_enabled": False,
        "mfa_enabled_at": created_at + DAY if has_totp else None,
        "mfa_disabled_at": None,
        "password_last_updated_at": created_at,
        "external_accounts": accounts,
        "saml_accounts": [],
        "enterprise_accounts": [],
        "last_sign_in_at": None if last_seen is None else last_seen + rng.randrange(DAY),
        "banned": False,
        "locked": False,
        "lockout_expires_in_seconds": None,
        "verification_attempts_remaining": 100,
        "created_at": created_at,
        "updated_at": created_at + 30 * DAY,
        "delete_self_enabled": True,
        "create_organization_enabled": True,
        "last_active_at": last_seen,
        "legal_accepted_at": None,
    }
    if profile.unsafe is not None:
        user["unsafe_metadata"] = profile.unsafe
    return user | profile.user


def clerk_users(rng: random.Random) -> list[Json]:
    """Return all users, newest first, as Clerk lists them."""
    ids = [new_id(rng, "user") for _ in range(USERS)]
    users = []
    created_at = JOINED_LAST
    for number, profile in enumerate(profiles(rng, somebody_else=ids[0])):
        created_at -= rng.randrange(DAY // 2, 12 * DAY)
        users.append(clerk_user(rng, ids[number], number, profile, created_at))
    users[1]["first_name"] = "Robin 🦊"
    return users


# --- organization memberships -----------------------------------------------------------------

READ = ["org:sys_profile:read", "org:sys_memberships:read"]
PERMISSIONS = {
    "org:admin": [*READ, "org:sys_memberships:manage", "org:expense:approve"],
    "org:billing": [*READ, "org:sys_billing:manage", "org:expense:approve"],
    "org:member": READ,
}
ROLE_NAMES = {"org:admin": "Admin", "org:billing": "Billing", "org:member": "Member"}
ORGANIZATIONS = (("Lantern Works", 30), ("Harbour Supply", 20), ("Meadow Freight", 10))


def organization(rng: random.Random, name: str, members: int, creator: str) -> Json:
    """Return one organization in the shape of Clerk's `Organization`."""
    slug = name.lower().replace(" ", "-")
    created_at = JOINED_LAST - 900 * DAY
    return {
        "object": "organization",
        "id": new_id(rng, "org"),
        "name": name,
        "slug": slug,
        "image_url": f"https://img.example.com/{slug}.png",
        "has_image": False,
        "members_count": members,
        "max_allowed_memberships": 100,
        "admin_delete_enabled": True,
        "public_metadata": {"tier": "sample"},
        "private_metadata": {},
        "created_by": creator,
        "created_at": created_at,
        "updated_at": created_at,
    }


def public_user_data(user: Json) -> Json:
    """Return the data that an organization shows about a member."""
    emails = {email["id"]: email["email_address"] for email in user["email_addresses"]}
    return {
        "user_id": user["id"],
        "first_name": user["first_name"],
        "last_name": user["last_name"],
        "profile_image_url": None,
        "image_url": user["image_url"],
        "has_image": user["has_image"],
        "identifier": emails.get(user["primary_email_address_id"]),
        "username": user["username"],
        "banned": user["banned"],
    }


def memberships_of(rng: random.Random, name: str, members: list[Json]) -> Iterator[Json]:
    """Yield the memberships: two admins, two for billing, the others members."""
    org = organization(rng, name, len(members), creator=members[0]["id"])
    for place, user in enumerate(members):
        role = "org:admin" if place < 2 else "org:billing" if place < 4 else "org:member"
        joined_at = user["created_at"] + rng.randrange(1, 20 * DAY)
        yield {
            "id": new_id(rng, "orgmem"),
            "object": "organization_membership",
            "role": role,
            "role_name": ROLE_NAMES[role],
            "permissions": PERMISSIONS[role],
            "public_metadata": {},
            "private_metadata": {},
            "organization": org,
            "public_user_data": public_user_data(user),
            "created_at": joined_at,
            "updated_at": joined_at,
        }


def organization_memberships(rng: random.Random, users: list[Json]) -> Json:
    """Return all memberships, newest first; some users are in two organizations, some in none."""
    data = [
        membership
        for name, size in ORGANIZATIONS
        for membership in memberships_of(rng, name, rng.sample(users, size))
    ]
    data.sort(key=lambda membership: (membership["created_at"], membership["id"]), reverse=True)
    return {"data": data, "total_count": len(data)}


# --- expenses ---------------------------------------------------------------------------------

COLUMNS = (
    *("id", "owner", "region", "department", "amount_cents", "amount", "currency"),
    *("status", "submitted_at", "decided_at"),
)
STATUSES = {"DRAFT": 8, "OPEN": 17, "APPROVED": 30, "REJECTED": 15, "PAID": 30}
DECIDED = ("APPROVED", "REJECTED", "PAID")
BOUNDARIES = (5_000, 7_500, 10_000, 15_000, 25_000, 50_000)  # dollars


def amount_cents(rng: random.Random) -> int:
    """Return mostly small amounts with a long tail, some at a limit or one cent beside it."""
    if rng.random() < 0.06:
        return rng.choice(BOUNDARIES) * 100 + rng.choice((-1, 0, 0, 1))
    dollars = rng.lognormvariate(6.6, 1.9)
    return round(min(max(dollars, 8), 120_000) * 100)


def is_employee(user: Json) -> bool:
    """Return whether the user's role, or one of the roles, is employee."""
    public = user["public_metadata"]
    return "employee" in public.get("roles", [public.get("role")])


def expense(rng: random.Random, number: int, owner: Json, submitted: date) -> list[str]:
    """Return one row of the CSV file, in the order of COLUMNS."""
    public = owner["public_metadata"]
    cents = amount_cents(rng)
    status = rng.choices(list(STATUSES), weights=list(STATUSES.values()))[0]
    decided = min(submitted + timedelta(days=rng.randrange(15)), QUARTERS[1])
    return [
        f"expense-{number:04}",
        owner["id"],
        public["region"],
        public["department"],
        str(cents),
        f"{cents // 100}.{cents % 100:02}",
        "USD",
        status,
        "" if status == "DRAFT" else submitted.isoformat(),
        decided.isoformat() if status in DECIDED else "",
    ]


def expenses(rng: random.Random, users: list[Json]) -> list[list[str]]:
    """Return two quarters of expenses of the well-formed employees, oldest first."""
    broken = broken_profiles("")
    owners = [user for place, user in enumerate(users) if place not in broken and is_employee(user)]
    days = (QUARTERS[1] - QUARTERS[0]).days + 1
    dates = sorted(QUARTERS[0] + timedelta(days=rng.randrange(days)) for _ in range(EXPENSES))
    return [expense(rng, number, rng.choice(owners), day) for number, day in enumerate(dates, start=1)]


# --- files ------------------------------------------------------------------------------------


def write_json(path: Path, value: object) -> None:
    """Write readable JSON, the same bytes on every system."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    """Write the files into the folder."""
    rng = random.Random(SEED)  # noqa: S311 - sample data, no secrets
    users = clerk_users(rng)
    write_json(folder / "clerk_users.json", users)
    write_json(folder / "clerk_organization_memberships.json", organization_memberships(rng, users))
    with (folder / "expenses.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(expenses(rng, users))
    others = runpy.run_path(str(Path(__file__).with_name("sample_of_providers.py")))
    others["write"](folder, users)


if __name__ == "__main__":
    main(Path(__file__).parent)
