"""A search for ids and personal attributes in everything made to be shared, and for damaged text."""

from __future__ import annotations

import base64
import json
import pickle
import re
import unicodedata
import zlib
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd
import pytest
from small_policies import HEAD, resource_policy, rule, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.identity.pseudonyms import pseudonym
from clerk_cerbos_lab.report.build import write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDS = [
    "user_2abcDEFghiJKLmnoPQRstuVWXyz",  # Clerk
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "google-oauth2|103547991597142817347",
    "arn:aws:iam::123456789012:user/johndoe",
    "ann.b+c@mail.example.co.uk",
    "änn@bücher.example",
    "3f2b8c1e-5d7a-4f6b-9c3d-2e1f0a9b8c7d",
    "00u1a2b3c4D5E6F7g8h9",  # Okta
    "acct:1/bob",
    r"CORP\nancy",
    "CN=Kim Lee,OU=Sales,DC=example",
    "Ann Smith",
    "o'brien",
    'the "boss"',
    "sally",
    "al",  # occurs inside approval, salary, …
    "Müller",
    unicodedata.normalize("NFD", "Åsa"),
    "李雷",
    "Ольга",
    "🦊fox",
    "<b>&co",
    "8675309123",
    "x|y",
    "x",  # and one inside another
]
ABSENT = [
    "auth0|0123456789abcdef01234567",
    "zoe",
    "tenant:7/max",
    "disabled-dan",
    "listed-lu",
    "mapped-mo",
    "outer.otto",
]
"""Not in the frame: only policies name them."""

PERSONAL = {
    "email": "k.lee@example.com",
    "salary": 98765.25,
    "nickname": "Squirrel-King",
    "ward": "Ward-Nine",
}
WORDS = ["approval", "salary", "approve", "essential", "expert", "six", "sallying", "user", "region", "south"]


def yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def principal_policy(identity: str, *, disabled: bool = False) -> str:
    rules = "[{resource: thing, actions: [{action: approve, effect: EFFECT_ALLOW}]}]"
    off = "disabled: true\n" if disabled else ""
    return f"{HEAD}{off}principalPolicy: {{principal: {yaml(identity)}, version: default, rules: {rules}}}\n"


def policies(folder: Path) -> Path:
    """Policies that name everybody: in rules, constants, variables, principal policies, comments."""
    everybody = "R.attr.owner in [" + ", ".join(yaml(one) for one in IDS) + "]"
    text = resource_policy(
        rule("R.attr.amount <= P.attr.salary || P.attr.email == R.attr.mail || P.attr.ward == R.attr.ward"),
        rule('P.attr.nickname == R.attr.nick && P.attr.region == R.attr.region && R.attr.region == "south"'),
        rule(f"{everybody} && R.attr.owner != P.id", actions=["approve"]),
        rule('R.attr.owner == "zoe" || P.id in C.auditors || P.id in C.limits', actions=["approve"]),
        rule('["outer.otto"].exists(one, one == R.attr.owner)', actions=["view"]),
    )
    constants = "  constants: {local: {auditors: [listed-lu], limits: {mapped-mo: 5}}}\n"
    comments = f"# ask sally, or {IDS[1]}; al. approval of the salary: {' '.join(WORDS)}\n# and Ann Smith's"
    text = text.replace("  rules:", f"{constants}  rules:") + comments + "\n"
    return write(
        folder,
        thing=text,
        principal_sally=principal_policy("sally"),
        bob=principal_policy("acct:1/bob"),
        absent=principal_policy(ABSENT[0]),
        tenant=principal_policy("tenant:7/max"),
        dan=principal_policy("disabled-dan", disabled=True),
    )


def people() -> pd.DataFrame:
    frame = pd.DataFrame({"id": IDS, "roles": [("user",)] * len(IDS)})
    return lab.vary(frame, region=["south"]).assign(**PERSONAL)  # type: ignore[arg-type]


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "a key of these tests")
        yield


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    """Return a PDP on policies that name everybody."""
    with lab.PDP(policies(tmp_path_factory.mktemp("hunted") / "policies")) as pdp:
        yield pdp


def question(some: list[str]) -> dict[str, Any]:
    return {
        "actions": ["approve", "view"],
        "amount": [10, 100_000],
        "owner": some,
        "mail": "k.lee@example.com",
        "region": ["south", "west"],
        "nick": "x",
        "ward": "w",
    }


CODE_OF_PAGES = Path("clerk_cerbos_lab/static/matrix.b64").read_text("ascii").strip()
"""What draws in a browser, packed: two letters between two signs can look like an id."""


def opened(text: str) -> str:
    """A text together with everything encoded in it, decoded, without the packed code that every page has."""
    texts = [text]
    for data in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", text):
        with suppress(ValueError):
            raw = base64.b64decode(data)
            with suppress(zlib.error):
                raw = zlib.decompress(raw)
            texts.append(raw.decode("utf-8", "replace"))
    return "\n".join(texts).replace(CODE_OF_PAGES, "")  # its code stays: it was decoded above


def forms(identity: str) -> set[str]:
    escaped = json.dumps(identity)[1:-1]
    keyed = re.sub(r"[^\w.]+", "_", identity, flags=re.ASCII)  # as Cerbos names a policy
    return {
        identity,
        escape(identity),
        escaped,
        escape(escaped),
        json.dumps(identity, ensure_ascii=False)[1:-1],
        repr(identity)[1:-1],
        keyed if sum(map(str.isalnum, keyed)) > 3 else identity,
    }


def leaks(text: str, ids: list[str]) -> list[str]:
    """The ids that occur in a text as words, in any form, except ``x``, which is a word of every page."""
    found = []
    for identity in set(ids) - {"x"}:
        for form in forms(identity):
            before = r"(?<!\w)" if form[0].isalnum() else ""
            after = r"(?!\w)" if form[-1].isalnum() else ""
            if re.search(before + re.escape(form) + after, text):
                found.append(identity)
    return found


def personal_leaks(text: str) -> list[object]:
    shown = [str(value) for value in PERSONAL.values()] + ["98,765.25"]
    return [value for value in shown if value in text]


def every_display(pdp: lab.PDP, frame: pd.DataFrame, folder: Path, *, names: bool = False) -> dict[str, str]:
    """Everything that the kit shows, stores and writes for one sweep, by name."""
    decisions = lab.sweep(pdp, frame, "thing", **question(IDS[:6]))
    bundles: dict[str, Any] = {
        "matrix": decisions.show(names=names),
        "strips": decisions.show(view="thresholds", names=names),
        "rows": decisions.long_table(names=names),
        "explorer": lab.explore(pdp, frame, "thing", names=names, owner=IDS[:6]),
    }
    texts = {
        f"{what}, {mime}": str(content)
        for what, one in bundles.items()
        for mime, content in one._repr_mimebundle_().items()
    }
    for what in ("matrix", "explorer"):
        state = bundles[what].widget.get_state()
        texts[f"{what}, live"] = str({**state, "payload": bytes(state["payload"]).decode("utf-8", "replace")})
    texts["svg"] = bundles["matrix"].svg
    texts["print"] = "" if names else str(decisions)
    for place, who in enumerate(() if names else decisions.names[:6]):
        cell = {axis.name: axis.values[place % len(axis.values)] for axis in decisions.axes}
        why = decisions.why(principal=who, action=decisions.actions[0], **cell)
        what_if = decisions.counterfactuals(
            principal=who, action=decisions.actions[0], most=1 + place % 2, **cell
        )
        shown = f"{what_if}\n{what_if._repr_html_()}\n{what_if.to_dict()}\n{what_if.frame().to_csv()}"
        texts[f"counterfactuals {place}"] = shown
        texts[f"why {place}"] = f"{why}\n{why._repr_html_()}\n{why.to_dict()}"
    if not names:
        coverage = lab.coverage(decisions)
        texts["coverage"] = f"{coverage}\n{coverage._repr_html_()}\n{coverage.frame().to_csv()}"
    explained = decisions.explain(names=names)
    told = explained.show(names=names).widget.get_state()["payload"]
    texts["explained, live"] = bytes(told).decode("utf-8", "replace")
    texts["explained, text/html"] = explained.show(names=names)._repr_mimebundle_()["text/html"]
    if explained.explanations is not None:
        texts["templates"] = repr([(one, one.rules) for one in explained.explanations.templates])
    explained.to_html(folder / "explained.html", names=names)
    decisions.to_html(folder / "page.html", names=names)
    decisions.to_html(folder / "scenarios.html", names=names, scenarios={"again": decisions})
    bundles["rows"].to_html(folder / "rows.html")
    texts |= {path.name: path.read_text("utf-8") for path in folder.glob("*.html")}
    return {what: opened(text) for what, text in texts.items()}


@pytest.fixture(scope="module")
def displays(hunted: lab.PDP, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return every_display(hunted, people(), tmp_path_factory.mktemp("pages"))


def test_no_display_contains_an_id_or_a_personal_attribute(displays: dict[str, str]) -> None:
    found = {what: leaks(text, [*IDS, *ABSENT]) for what, text in displays.items()}
    found["rows.html"] = [one for one in found["rows.html"] if one != "al"]  # a name in the code of itables
    assert {what: some for what, some in found.items() if some} == {}
    hidden = {what: personal_leaks(text.replace("k.lee@example.com", "")) for what, text in displays.items()}
    assert {what: some for what, some in hidden.items() if some} == {}
    assert all(pseudonym("sally") in displays[what] for what in ("page.html", "explorer, live"))


def test_one_note_says_what_is_not_shown_and_how_to_show_it(displays: dict[str, str]) -> None:
    note = 'lab.shareable(principals, "email", "salary", "nickname", "ward")'
    for what in ("matrix, text/plain", "rows, text/plain", "print"):
        assert displays[what].count(note) == 1, what
    for what in ("matrix, text/html", "explorer, text/html", "page.html", "rows.html"):
        assert escape(note) in displays[what] or note.replace('"', "&#34;") in displays[what], what


def test_the_search_for_leaks_finds_what_is_shown_on_purpose(hunted: lab.PDP, tmp_path: Path) -> None:
    texts = "\n".join(every_display(hunted, people(), tmp_path, names=True).values())
    assert set(leaks(texts, [*IDS, *ABSENT])) == {*IDS, *ABSENT} - {"x"}
    assert len(personal_leaks(texts)) == len(PERSONAL) + 1  # the number in both of its forms


def test_nothing_but_ids_is_replaced_in_the_text_of_policies(
    hunted: lab.PDP, displays: dict[str, str]
) -> None:
    back = {pseudonym(form): form for one in [*IDS, *ABSENT] for form in (one,)}
    text = displays["page.html"]
    original = (hunted.own_policies or [None])[0]
    assert original is not None
    for path in original.glob("*.yaml"):
        plain = path.read_text("utf-8")
        shown = next(
            body
            for body in re.findall(r"<pre tabindex=\"0\">(.*?)</pre>", text, flags=re.DOTALL)
            if body.count("\n") == plain.rstrip("\n").count("\n") + plain.endswith("\n")
            and unmasked(body, back, yaml=plain) == plain
        )
        assert leaks(shown, [*IDS, *ABSENT]) == []
    for word in WORDS:
        assert re.search(rf"\b{word}\b", text), word


def unmasked(body: str, back: dict[str, str], *, yaml: str) -> str:
    """A masked text with the ids put back as the original spells them."""
    plain = body.replace("&#34;", '"').replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")
    plain = plain.replace("&amp;", "&")
    for name, identity in back.items():
        if name in plain:
            twice = json.dumps(json.dumps(identity, ensure_ascii=False)[1:-1])[1:-1]
            once = json.dumps(identity)[1:-1]
            spelt = next((form for form in (twice, once, identity) if form in yaml), identity)
            plain = plain.replace(name, spelt)
    return plain


# -- what a frame knows of its columns ----------------------------------------------------------


def merged(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="ward").merge(frame[["id", "ward"]].assign(), on="id")


def parquet(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    frame.to_parquet(folder / "people.parquet")
    return pd.read_parquet(folder / "people.parquet")


WAYS: dict[str, Callable[[pd.DataFrame, Path], pd.DataFrame]] = {
    "as it is": lambda frame, _: frame,
    "merge": lambda frame, _: merged(frame),
    "merge with another": lambda frame, _: frame.merge(
        pd.DataFrame({"id": IDS, "shoe": ["Shoe-44"] * len(IDS)}), on="id"
    ),
    "concat": lambda frame, _: pd.concat([frame.iloc[:3], frame.iloc[3:]]),
    "concat with another": lambda frame, _: pd.concat(
        [frame.iloc[:3], pd.DataFrame(frame.iloc[3:].to_dict("list"))], ignore_index=True
    ),
    "copy": lambda frame, _: frame.copy(),
    "filter": lambda frame, _: frame[frame["region"] == "south"],
    "query": lambda frame, _: frame.query("region == 'south'"),
    "pickle": lambda frame, _: pickle.loads(pickle.dumps(frame)),
    "parquet": parquet,
    "json": lambda frame, _: pd.DataFrame(json.loads(frame.to_json(orient="records"))),
    "vary": lambda frame, _: lab.vary(frame, region=["south", "west"]),
    "join": lambda frame, _: (
        frame.set_index("id")
        .join(pd.DataFrame({"shoe": "Shoe-44"}, index=IDS))
        .rename_axis("id")
        .reset_index()
    ),
    "rename": lambda frame, _: frame.rename(columns={"nickname": "nick_name"}),
    "by hand": lambda frame, _: pd.DataFrame(frame.to_dict("list")),
}
KEEPS = {"as it is", "merge", "concat", "copy", "filter", "query", "pickle", "parquet", "vary", "rename"}


@pytest.mark.parametrize("way", WAYS)
def test_personal_columns_stay_hidden_whatever_is_done_to_the_frame(
    hunted: lab.PDP, tmp_path: Path, way: str
) -> None:
    frame = WAYS[way](people(), tmp_path)
    decisions = lab.sweep(hunted, frame, "thing", **question([lab.SELF]))
    decisions.to_html(tmp_path / "page.html")
    shown = decisions.show()
    bundle = shown._repr_mimebundle_()
    explorer = lab.explore(hunted, frame, "thing", owner=[lab.SELF])
    texts = [
        bundle["text/html"],
        bundle["text/plain"],
        shown.svg,
        (tmp_path / "page.html").read_text("utf-8"),
    ]
    texts += [str(explorer._offered()), *map(str, explorer._repr_mimebundle_().values()), str(decisions)]
    for text in texts:
        assert personal_leaks(opened(text).replace("k.lee@example.com", "")) == []
        assert "Shoe-44" not in text
    assert ("region" in decisions.shown().attributes) is (way in KEEPS)
    assert not {*PERSONAL, "shoe"} & set(decisions.shown().attributes)


def test_columns_of_public_metadata_are_shown_and_those_of_the_profile_never(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    user = {
        "id": "user_2abcDEFghiJKLmnoPQRstuVWXyz",
        "first_name": "Kimberley",
        "public_metadata": {"region": "south", "limit": 5, "first_name": "Kimberley"},
        "private_metadata": {"level": "Level-Q"},
    }
    path.write_text(json.dumps([user]), "utf-8")
    mapping = lab.Mapping(profile={"first_name": "first_name", "level": "private_metadata.level"})
    frame = lab.load_principals(path, mapping=mapping)
    rules = [rule(f"P.attr.{name} == R.attr.amount") for name in ("region", "limit", "first_name", "level")]
    with lab.PDP(write(tmp_path / "policies", thing=resource_policy(*rules))) as pdp:
        for one in (frame, parquet(frame, tmp_path), frame[frame["limit"] == 5]):
            shown = lab.sweep(pdp, one, "thing", amount=[1, 5]).shown()
            assert shown.attributes == ["region", "limit"]
            assert shown.withheld == ["first_name", "level"]
        said = lab.shareable(frame, "level")
        assert lab.sweep(pdp, said, "thing", amount=1).shown().attributes == ["region", "limit", "level"]
        assert lab.sweep(pdp, frame, "thing", amount=1).shown().withheld == ["first_name", "level"]


def test_lab_shareable_names_what_it_does_not_know() -> None:
    with pytest.raises(lab.InputError, match=r"no column 'regoin'; did you mean 'region'"):
        lab.shareable(people(), "regoin")
    with pytest.raises(lab.InputError, match="name the columns"):
        lab.shareable(people())
    with pytest.raises(lab.InputError, match="always shown"):
        lab.shareable(people(), "roles")


def test_ids_that_do_not_identify_people_can_be_shown_without_a_warning(hunted: lab.PDP) -> None:
    groups = lab.shareable(
        lab.vary(pd.DataFrame({"id": ["a-user"], "roles": [("user",)]}), region=["south"]), "id"
    )
    bundle = lab.sweep(hunted, groups, "thing", **question(["zoe"])).show()._repr_mimebundle_()
    assert "a-user" in bundle["text/html"]
    assert "Real ids" not in bundle["text/html"]
    assert leaks(opened(bundle["text/html"]), ["zoe"]) == []


# -- Parquet and back ------------------------------------------------------------------------------


def test_a_frame_read_back_from_parquet_is_swept_like_the_original(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "text": ["a", lab.MISSING, "c"],
        "whole": [1, lab.MISSING, 3],
        "flag": [True, lab.MISSING, False],
        "tags": [["a", "b"], lab.MISSING, []],
        "map": [{"a": 1}, {"b": {"c": "x"}}, lab.MISSING],
        "maps": [[{"a": 1}, {"b": 2}], [], lab.MISSING],
    }
    frame = pd.DataFrame({"id": ["a", "b", "c"], "roles": [("user", "boss"), ("user",), ("user",)]})
    for name, values in columns.items():
        (row, *_) = [lab.vary(frame, **{name: [values[0]]})]
        frame[name] = pd.Series(values, dtype=object)
        frame.attrs = {
            part: [*frame.attrs.get(part, []), name]
            for part in ("shareable", "without_null")
            if row.attrs[part]
        }
    back = parquet(frame, tmp_path)
    assert list(read_principals(back)) == list(read_principals(frame))
    assert back.attrs == frame.attrs
    null = frame.assign(odd=pd.Series([None, True, lab.MISSING], dtype=object))
    with pytest.raises(lab.InputError, match=r"row 0, column 'odd': a file does not distinguish null"):
        read_principals(parquet(null, tmp_path))


# -- a report --------------------------------------------------------------------------------------


PROSE = f"""# Who is sally?

Ask **sally**, _Müller_, `{IDS[1]}` or Ann Smith. Approval of a salary is essential.

| who |
|---|
| auth0\\|5f7c8ec7c33c6c004bbafe82 |

![packed](data:image/png;base64,AAAA+sally+AAAA)"""

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40).decode()

CODE = [
    "import pandas as pd\nimport clerk_cerbos_lab as lab\nfrom IPython.display import HTML, Image",
    f"pdp = lab.PDP('FOLDER')\nids = {json.dumps(IDS, ensure_ascii=False)}",
    "rows = pd.DataFrame({'id': ids, 'roles': [('user',)] * len(ids)})",
    "rows = lab.vary(rows, region=['south'])",
    f"people = rows.assign(**{PERSONAL!r})\npeople",
    "people.merge(people[['id']], on='id').tail(30)",
    "people['nickname']",
    "fixed = dict(region='south', mail='k.lee@example.com', nick='x', ward='w', amount=[1, 100_000])",
    "d = lab.sweep(pdp, people, 'thing', actions='approve', owner=ids[:6], **fixed)\nd.show(names=True)",
    "d.long_table(names=True)",
    "more = people.merge(pd.DataFrame({'id': ids, 'm': 'm'}), on='id')\nmore.set_index(['id', 'nickname'])",
    "more[['id', 'nickname']]",
    "lab.explore(pdp, people, 'thing', names=True, owner=ids[:6])",
    "print(d, ids, '\\n'.join(ids), '\\x1b[31msally\\x1b[0m', {one: 1 for one in ids})",
    """HTML('<b title="sally">sally</b> &lt;sally&gt; <script>const who = {"sally": 1}</script>')""",
    "pdp.policies",
    "d.frame()",
    "d.sel(principal='nobody like sally')",
    "raise ValueError(' '.join(ids))",
    f"Image(data=__import__('base64').b64decode('{PICTURE}'))",
]


def notebook(path: Path, prose: str, code: list[str]) -> None:
    made = nbformat.v4.new_notebook()
    tags = {"tags": ["nbval-raises-exception"]}
    made.cells = [
        nbformat.v4.new_markdown_cell(prose),
        *(nbformat.v4.new_code_cell(source, metadata=tags) for source in code),
    ]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(made, path)


def test_a_report_names_nobody_in_prose_code_outputs_or_policies(hunted: lab.PDP, tmp_path: Path) -> None:
    folder = str((hunted.own_policies or [""])[0])
    code = [source.replace("FOLDER", folder) for source in CODE]
    notebook(tmp_path / "notebooks" / "00_sally.ipynb", PROSE, code)
    write_report(tmp_path / "notebooks", policies(tmp_path / "policies"), tmp_path / "site")
    texts = {path.name: path.read_text("utf-8") for path in (tmp_path / "site").glob("*.html")}
    assert len(texts) == 2
    for name, text in texts.items():
        assert leaks(opened(text.replace("AAAA+sally+AAAA", "")), [*IDS, *ABSENT]) == []
        assert leaks(name, ["sally"]) == []
    page = next(text for name, text in texts.items() if name != "index.html")
    assert "data:image/png;base64,AAAA+sally+AAAA" in page
    assert PICTURE in page.replace("\n", "")
    assert "Approval of a salary is essential." in page
    assert page.count("not shown") > 4 * len(IDS)
    assert page.count("Squirrel-King") == 1  # in the code of the notebook, where its author wrote it
    assert page.count("NameError") == 0


def test_what_a_report_reads_is_private_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    look = "import os\noct(os.stat(os.environ['CLERK_CERBOS_LAB_REPORT_IDS']).st_mode)[-3:]"
    notebook(tmp_path / "notebooks" / "a.ipynb", "# Private?", [look])
    write_report(tmp_path / "notebooks", policies(tmp_path / "policies"), tmp_path / "site")
    assert re.search(r"('|&#39;)600('|&#39;)", (tmp_path / "site" / "a.html").read_text("utf-8"))
    assert [path for path in private.iterdir() if path.name.startswith("clerk-cerbos-lab-")] == []
