"""The browser part: its own tests, the bundle in the package, and what that bundle may do."""

from __future__ import annotations

import base64
import json
import re
import zlib

from javascript import JS, bundle, node

from clerk_cerbos_lab.display import assets

SOURCES = sorted((JS / "src").rglob("*.js"))


def test_its_own_tests_pass() -> None:
    files = sorted((JS / "test").glob("*.test.js"))
    told = node("--test", "--test-reporter=tap", *files)
    counts = {
        name: int(n) for name, n in re.findall(r"^# (tests|pass|skipped|todo) (\d+)$", told, re.MULTILINE)
    }
    assert counts["tests"] == counts["pass"] > len(files) > 0
    assert counts["skipped"] == counts["todo"] == 0


def test_the_bundles_are_those_of_their_source() -> None:
    assert bundle("src/entry.js") == assets.module(), "static/matrix.js is not of js/src: run 'make static'"
    offline = bundle("src/offline.js")
    assert offline == assets.offline_module(), "static/offline.js is not of js/src: run 'make static'"


def test_what_is_packed_is_the_offline_bundle() -> None:
    packed = zlib.decompress(base64.b64decode(assets.packed_module())).decode()
    assert packed == assets.offline_module(), "static/matrix.b64 is not of offline.js: run 'make static'"


def test_its_tools_are_pinned_with_their_integrity_and_no_address() -> None:
    text = (JS / "package-lock.json").read_text("utf-8")
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert "://" not in text
    pins = json.loads((JS / "package.json").read_text("utf-8"))
    assert "dependencies" not in pins, "nothing but its own source is in the bundle"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pins["devDependencies"].values())


def test_no_text_can_become_markup_or_code() -> None:
    code = assets.module() + assets.offline_module()
    assert "</script" not in code.lower()
    assert "<!--" not in code
    makers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    assert re.findall(makers, code) == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", code) == []


def test_every_class_of_ours_is_called_so_that_no_page_knows_it() -> None:
    style = (JS / "src" / "matrix.css").read_text("utf-8")
    named = re.findall(r"\.([A-Za-z_][\w-]*)", re.sub(r"\{[^{}]*\}", "{}", style))
    given = [
        text
        for path in SOURCES
        for line in re.findall(r"\bclass(?:Name = |: )([^\n]*)", path.read_text("utf-8"))
        for text in re.findall(r'["`]([^"`]*)["`]', line.partition(", ")[0])
    ]
    used = [name for text in given for name in text.split()]
    assert named
    assert len(used) > 40
    assert [name for name in {*named, *used} if not name.startswith("ccl")] == []
