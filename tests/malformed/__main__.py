"""`python -m tests.malformed`: all inputs, and a table of how they ended; exit status 1 where one was not refused.

python -m tests.malformed                 all areas
python -m tests.malformed profile         one
python -m tests.malformed --show 20       the first 20 that were not refused, with what came instead
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("areas", nargs="*")
    parser.add_argument("--show", type=int, default=1000)
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    from tests.malformed import all_cases, make_home
    from tests.malformed.case import outcome

    with tempfile.TemporaryDirectory() as place:
        home = make_home(Path(place) / "home")
        began = time.perf_counter()
        count: Counter[tuple[str, str]] = Counter()
        shown = 0
        for number, case in enumerate(all_cases(home)):
            if (given.areas and case.area not in given.areas) or number % given.every:
                continue
            started = time.perf_counter()
            ended = outcome(case, Path(place) / f"{number}")
            count[case.area, ended.word] += 1
            took = time.perf_counter() - started
            if (ended.word != "refused" or took > 3) and shown < given.show:
                shown += 1
                print(
                    f"{ended.word:10}{took:5.1f} s  {case.area}: {case.wrong}\n    {' '.join(ended.about.split())[-700:]}",
                    flush=True,
                )
        words = ["refused", "accepted", "traceback", "hang", "unclear", "left"]
        print(f"\n{'':16}" + "".join(f"{word:>11}" for word in words))
        for area in dict.fromkeys(area for area, _ in count):
            print(f"{area:16}" + "".join(f"{count[area, word]:11}" for word in words))
        print(f"{sum(count.values())} inputs in {time.perf_counter() - began:.0f} s")
        sys.exit(any(word != "refused" for _, word in count))


main()
