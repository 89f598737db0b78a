"""Generated code of every kind passes strict compilers and linters, with the SDK of each provider too."""

import sys
from pathlib import Path

import pytest
from app_code import write_all
from applications import APP, NEXTJS, needs, node, run, typecheck


def test_typescript_passes_the_strictest_compiler(tmp_path: Path) -> None:
    needs(APP)
    write_all(tmp_path, "nextjs")
    for identity in tmp_path.glob("*/identity.ts"):  # with the SDKs of providers: make long
        identity.unlink()
    typecheck(tmp_path, APP)
    wrong = tmp_path / "app_usual" / "wrong.ts"
    wrong.write_text(
        'import { isAllowed } from "./check";\n'
        'await isAllowed({ id: "x", roles: [] }, "view", { id: "1", attr: { amount: "5" } });\n'
    )
    with pytest.raises(AssertionError, match="Type 'string' is not assignable to type 'number'"):
        typecheck(tmp_path, APP)


@pytest.mark.long
def test_typescript_passes_with_the_sdk_of_each_provider_and_eslint(tmp_path: Path) -> None:
    needs(NEXTJS)
    write_all(tmp_path, "nextjs")
    typecheck(tmp_path, NEXTJS)
    (tmp_path / "eslint.config.mjs").write_text(
        'import js from "@eslint/js";\nimport ts from "typescript-eslint";\n'
        "const globals = { process: false, URL: false, Response: false };\n"
        "export default [js.configs.recommended, ...ts.configs.strict,\n"
        "  { files: ['**/*.js'], languageOptions: { sourceType: 'commonjs', globals: { exports: true } } },\n"
        "  { languageOptions: { globals } }];\n"
    )
    run([node(), NEXTJS / "eslint/bin/eslint.js", "--max-warnings=0", "."], tmp_path)


def test_python_passes_mypy_in_strict_mode_and_ruff(tmp_path: Path) -> None:
    names = write_all(tmp_path, "python")
    for identity in tmp_path.glob("*/identity.py"):
        identity.unlink()
    _mypy(tmp_path, names)
    ruff = [sys.executable, "-m", "ruff"]
    rules = ["--isolated", "--target-version=py311", "--select=E4,E7,E9,F,B,UP,I"]
    run([*ruff, "check", *rules, "."], tmp_path)
    run(
        [
            *ruff,
            "format",
            "--isolated",
            "--line-length=110",
            "--check",
            "app_usual",
            "app_everything",
            "app_bare",
        ],
        tmp_path,
    )


@pytest.mark.long
def test_python_passes_mypy_with_the_client_of_each_provider(tmp_path: Path) -> None:
    _mypy(tmp_path, write_all(tmp_path, "python"))


def _mypy(folder: Path, names: list[str]) -> None:
    # What Cerbos's client imports in turn is nothing of ours, and reading it takes four times as long.
    further = "[mypy-httpx.*,rich.*,anyio.*]\nfollow_imports = skip\n"
    (folder / "mypy.ini").write_text(f"[mypy]\nstrict = true\n{further}")
    packages = [part for name in names for part in ("-p", name)]
    run([sys.executable, "-m", "mypy", *packages], folder, MYPYPATH=str(folder), PYTHONPATH="")
