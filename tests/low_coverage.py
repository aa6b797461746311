"""What `make coverage` shows: how much of spkit the tests reach, and the modules of which they reach less than 90 %."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHARE = 90.0


def main(report: Path = ROOT / ".coverage.json") -> int:
    """Print the modules below the share, the lowest first; 1 where there are any."""
    measured = json.loads(report.read_text(encoding="utf-8"))
    print("{percent_covered:.1f} % of lines and branches".format(**measured["totals"]))
    low = {name: one for name, one in measured["files"].items() if one["summary"]["percent_covered"] < SHARE}
    for name, one in sorted(low.items(), key=lambda pair: pair[1]["summary"]["percent_covered"]):
        missing = one["missing_lines"]
        lines = ", ".join(_runs(missing)) or "none"
        part = [f"{start} to {end}" for start, end in one["missing_branches"] if not {start, abs(end)} & set(missing)]
        branches = f"; ways not taken: {', '.join(part)}" if part else ""
        print(f"{one['summary']['percent_covered']:5.1f} %  {name}: lines not reached: {lines}{branches}")
    print(f"{len(low)} of {len(measured['files'])} modules below {SHARE:.0f} %")
    return int(bool(low))


def _runs(numbers: list[int]) -> list[str]:
    """Line numbers, those in a row together: [1, 2, 3, 7] are 1-3 and 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


if __name__ == "__main__":
    sys.exit(main())
