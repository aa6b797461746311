"""`python -m tests.audit`: known vulnerabilities of the pinned packages, and the licences of the installed ones.

Exit status 1 where a pinned version has a known vulnerability, or where a licence is none or asks more of a user's own
code than the others do. Without a way to PyPI nothing is known of vulnerabilities; that is said, and is no failure.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

_ROOT = Path(__file__).parent.parent
#: Seconds until the database counts as out of reach.
_PATIENCE = 180
#: Licences that would bind the code of who uses the package; the LGPL does not.
_BINDING = re.compile(r"(?<!L)GPL|Affero|UNKNOWN")


def main() -> None:
    sys.exit(_vulnerable() + _licences() > 0)


def vulnerable(report: dict) -> tuple[list[str], int]:
    """What pip-audit reports: a line a vulnerability, and how many packages it could look up."""
    known = [package for package in report["dependencies"] if "skip_reason" not in package]
    lines = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none yet'}"
        for package in known
        for one in package["vulns"]
    ]
    return lines, len(known)


def binding(packages: list[dict]) -> list[str]:
    """Packages of which no licence is known, or one that binds code that uses them."""
    return [f"{one['Name']}: {_short(one['License'])}" for one in packages if _BINDING.search(_short(one["License"]))]


def _vulnerable() -> int:
    options = ["-r", "constraints.txt", "--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"]
    command = [_beside_python("pip-audit"), *options]
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE)
        report = json.loads(done.stdout or '{"dependencies": []}')
    except subprocess.TimeoutExpired:  # a network that swallows what is sent
        report = {"dependencies": []}
    lines, known = vulnerable(report)
    if not known:
        print("Vulnerabilities: pip-audit reached no database, so nothing is known of them here.")
        return 0
    print(f"Vulnerabilities: {len(lines)} in {known} packages that could be looked up.", *lines, sep="\n  ")
    return len(lines)


def _licences() -> int:
    command = [_beside_python("pip-licenses"), "--format=json", "--from=mixed"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    counts = Counter(_short(one["License"]) for one in packages)
    print(f"Licences of {len(packages)} packages:", ", ".join(f"{name} ({n})" for name, n in counts.most_common()))
    if wrong := binding(packages):
        print("These bind the code that uses them, or are not known:", *wrong, sep="\n  ")
    return len(wrong)


def _short(licence: str) -> str:
    """The name of a licence; some packages give its whole text."""
    return licence.strip().splitlines()[0].removesuffix(" License")


def _beside_python(name: str) -> str:
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    main()
