"""Generated code as an application uses it: types checked, bundled and run by Node."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
JS = ROOT / "js" / "node_modules"
APP = ROOT / ".venv" / "app" / "node_modules"
NEXTJS = ROOT / ".venv" / "nextjs" / "node_modules"
NODE = ROOT / ".venv" / "node"

STRICT: dict[str, Any] = {
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noImplicitOverride": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "isolatedModules": True,
    "noEmit": True,
    "target": "ES2023",
    "lib": ["ES2023", "DOM"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "skipLibCheck": True,
    "types": ["node"],
}


def needs(modules: Path) -> None:
    """Without the packages a test is skipped, except in CI: there it fails."""
    if not modules.is_dir() or not JS.is_dir():
        step = "--nextjs" if modules == NEXTJS else "--js"
        missing = f"needs the npm packages that setup/install.py {step} installs"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


def run(command: list[str | Path], folder: Path, **environment: str) -> str:
    """What a command says; it must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"[-6000:]
    return done.stdout


def typecheck(folder: Path, modules: Path) -> None:
    """Check every TypeScript file in a folder, as strictly as there is."""
    link(folder, modules)
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": STRICT, "include": ["**/*.ts", "**/*.tsx"]})
    )
    run([node(), JS / "typescript" / "bin" / "tsc", "--project", folder], folder)


def link(folder: Path, modules: Path) -> None:
    """Give a folder its packages."""
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)


def node() -> Path:
    """Node, as set-up found it."""
    return NODE if NODE.exists() else Path("node")


def bundle(entry: Path, output: Path, *options: str) -> Path:
    """One file of JavaScript that Node runs, with everything but Cerbos's client in it."""
    run(
        [
            *(JS / ".bin" / "esbuild", entry, "--bundle", "--platform=node", "--format=esm"),
            *(f"--outfile={output}", "--external:@cerbos/*", "--log-level=warning", *options),
        ],
        entry.parent,
    )
    return output
