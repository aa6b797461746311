"""What spkit writes replaces what spkit wrote, and nothing else: folders, files, links, locks, and a full disk."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from spkit import folders
from spkit.cli.stops import about_files
from spkit.errors import SpkitError
from spkit.files import check_room
from spkit.folders import changed_files, check_replaceable, own_file, write_folder
from spkit.hashing import fast_hash
from spkit.locks import InUseError, locked


def fill(folder: Path, text: str = "ours") -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    (folder / "model.bin").write_text(text)
    (folder / "1_Pooling" / "config.json").write_text("{}")


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_ours_is_replaced(tmp_path) -> None:
    write_folder(tmp_path / "out", fill, "A model")
    write_folder(tmp_path / "out", lambda folder: fill(folder, "newer"), "A model")
    assert (tmp_path / "out" / "model.bin").read_text() == "newer"
    assert files_of(tmp_path) == {"out/.spkit.json", "out/model.bin", "out/1_Pooling/config.json"}


FOREIGN = {
    "a repository": lambda folder: ((folder / ".git").mkdir(), (folder / ".git" / "HEAD").write_text("ref")),
    "a file": lambda folder: (folder / "results.csv").write_text("mine"),
    "an edited file": lambda folder: (folder / "model.bin").write_text("mine"),
    "a file further down": lambda folder: (folder / "1_Pooling" / "notes").write_text("mine"),
    "an empty folder": lambda folder: (folder / "onnx").mkdir(),
    "a link to a folder": lambda folder: (folder / "link").symlink_to(folder.parent),
    "a link to a file": lambda folder: (
        (folder / "model.bin").unlink(),
        (folder / "model.bin").symlink_to("/etc/hosts"),
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("ours_before", [True, False])
def test_nothing_else_is_ever_lost(tmp_path, what, ours_before) -> None:
    out = tmp_path / "out"
    if ours_before:
        write_folder(out, fill, "A model")
    else:
        out.mkdir()
        fill(out)
    FOREIGN[what](out)
    before = {path: path.lstat().st_mtime_ns for path in out.rglob("*")}
    for _ in range(2):
        with pytest.raises(SpkitError, match=r"over what spkit wrote.*which spkit did not write"):
            write_folder(out, fill, "A model")
    assert {path: path.lstat().st_mtime_ns for path in out.rglob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_without_a_list_is_foreign_and_an_empty_one_is_not(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", fill, "A model")
    (tmp_path / "out" / ".spkit.json").unlink()
    with pytest.raises(SpkitError, match="did not write"):
        check_replaceable(tmp_path / "out", "A model")
    check_replaceable(tmp_path / "out", "A model", recognised=lambda name: True)


def test_links_are_not_followed_and_the_tilde_is_the_home_folder(tmp_path, monkeypatch) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    for write in (
        lambda: write_folder(tmp_path / "link", fill, "A model"),
        lambda: own_file(tmp_path / "link", "x").__enter__(),
    ):
        with pytest.raises(SpkitError, match="which is a link to"):
            write()
    assert (tmp_path / "link").is_symlink()
    assert not any((tmp_path / "theirs").iterdir())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert write_folder("~/out", fill, "A model") == tmp_path / "home" / "out"


@pytest.mark.parametrize("number", range(3))
def test_a_flipped_bit_in_any_file_is_noticed(tmp_path, number) -> None:
    out = write_folder(tmp_path / "out", fill, "A model")
    assert changed_files(out) == []
    path = sorted(path for path in out.rglob("*") if path.is_file() and path.name != ".spkit.json")[number % 2]
    content = bytearray(path.read_bytes())
    content[0] ^= 1 << number
    path.write_bytes(content)
    assert changed_files(out) == [path.relative_to(out).as_posix()]


def test_a_process_that_was_killed_leaves_nothing_for_ever(tmp_path) -> None:
    out = write_folder(tmp_path / "out", fill, "A model")
    out.rename(tmp_path / ".out.replaced")  # killed between the two names
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "half").write_text("x")
    (tmp_path / ".out.lock").write_text("")
    write_folder(out, lambda folder: fill(folder, "newer"), "A model")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_fails_leaves_the_old_folder_and_nothing_beside_it(tmp_path) -> None:
    out = write_folder(tmp_path / "out", fill, "A model")
    before = files_of(out), (out / ".spkit.json").read_text()
    for error in (OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()):

        def fails(folder: Path, error=error) -> None:
            fill(folder)
            raise error

        with pytest.raises(type(error)):
            write_folder(out, fails, "A model")
        assert (files_of(out), (out / ".spkit.json").read_text()) == before
        assert changed_files(out) == []
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_of_another_part_or_of_a_user_is_not_replaced(tmp_path) -> None:
    path = tmp_path / "scores.csv"

    def write(by: str, text: str) -> None:
        with own_file(path, by) as unfinished:
            unfinished.write_text(text)

    write("spkit study", "one")
    write("spkit study", "two")
    with pytest.raises(SpkitError, match="which `spkit evaluate` did not write"):
        write("spkit evaluate", "three")
    assert path.read_text() == "two"
    path.write_text("edited")
    with pytest.raises(SpkitError, match="or which was changed since"):
        write("spkit study", "three")
    assert path.read_text() == "edited"
    path.unlink()
    path.write_text("mine")
    with pytest.raises(SpkitError):
        write("spkit study", "three")


def test_a_file_whose_writer_was_killed_before_its_last_step_is_still_ours(tmp_path, monkeypatch) -> None:
    path = tmp_path / "scores.csv"

    def write(text: str) -> None:
        with own_file(path, "spkit study") as unfinished:
            unfinished.write_text(text)

    write("one")
    with monkeypatch.context() as patched:
        patched.setattr("spkit.files.os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        # The list itself is written with the same call: it alone succeeds.
        patched.setattr(folders, "write_text", lambda path, text: Path(path).write_text(text))
        with pytest.raises(KeyboardInterrupt):
            write("two")
    assert path.read_text() == "one"
    assert changed_files(tmp_path) == []
    write("three")
    assert path.read_text() == "three"


def test_a_lock_says_who_holds_it_and_ends_with_its_process(tmp_path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from spkit.locks import locked\n"
        f"with locked(Path({str(tmp_path / 'run')!r}), 'One process.'):\n    print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    found = rf"One process\. Found .*run in use by process {holder.pid} on .* since 2"
    with pytest.raises(InUseError, match=found), locked(tmp_path / "run", "One process."):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with locked(tmp_path / "run", "One process."):
        assert str(os.getpid()) in (tmp_path / ".run.lock").read_text()
        with pytest.raises(InUseError), locked(tmp_path / "run", "One process."):
            pass
    assert not any(tmp_path.iterdir())


def test_a_lock_is_waited_for_and_who_waits_is_told_by_whom_it_is_held(tmp_path) -> None:
    said: list[str] = []
    with ExitStack() as holder:
        holder.enter_context(locked(tmp_path / "run", "One process."))
        with pytest.raises(InUseError, match="One process"), locked(tmp_path / "run", "One process.", wait=0.2):
            pass
        with locked(tmp_path / "run", "x", wait=60.0, say=lambda line: (said.append(line), holder.close())):
            assert str(os.getpid()) in (tmp_path / ".run.lock").read_text()
    (line,) = said
    assert line.startswith(f"Waiting for {tmp_path / 'run'}, which is in use by process {os.getpid()} on ")
    with locked(tmp_path / "run", "One process.", wait=60.0, say=said.append):
        pass
    assert len(said) == 1  # what is free is not waited for


@pytest.mark.parametrize("written", ["", "{}", "[]", "half a li"])
def test_a_lock_whose_holder_has_only_begun_is_held_by_another_process(tmp_path, written) -> None:
    with FileLock(tmp_path / ".run.lock"):
        (tmp_path / ".run.lock").write_text(written)
        with pytest.raises(InUseError, match=r"in use by another process\."), locked(tmp_path / "run", "One process."):
            pass


def test_of_a_launchers_processes_the_main_one_holds_the_lock(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with locked(tmp_path / "run", "One process."):
        monkeypatch.setenv("RANK", "1")
        with locked(tmp_path / "run", "One process."):  # it writes nothing, and must not stop the others
            assert str(os.getpid()) in (tmp_path / ".run.lock").read_text()
        assert (tmp_path / ".run.lock").exists()
        monkeypatch.setenv("RANK", "0")
        with pytest.raises(InUseError), locked(tmp_path / "run", "One process."):
            pass


def test_a_disk_that_is_too_small_is_said_before(tmp_path, monkeypatch) -> None:
    check_room(tmp_path / "new" / "out", 1, "A model")
    with pytest.raises(SpkitError, match=r"must fit on the disk.*where at least 1,000,000,000,000,000 MB are needed"):
        check_room(tmp_path / "new" / "out", 10**21, "A model")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SpkitError, match="read-only"):
        check_room(tmp_path / "new", 0, "A model")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SpkitError, match="Found the file"):
        check_room(tmp_path / "file" / "out", 0, "A model")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x/y.csv"), r"No space left on device \(x/y\.csv\)"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/x"), r"Permission denied \(/x\)"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/x"), "Read-only file system"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"), "No space left"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/x"), "Is a directory"),
        (RuntimeError("a fault of ours"), None),
    ],
)
def test_errors_of_the_disk_are_told_in_words(error, said) -> None:
    told = about_files(error)
    if said is None:
        assert told is None
    else:
        assert told is not None
        import re

        assert re.search(said, told)
    wrapped = RuntimeError("a library's own")
    wrapped.__cause__ = error
    assert (about_files(wrapped) is None) == (said is None or "directory" in said)


def test_the_fast_hash_is_xxh3(tmp_path) -> None:
    import xxhash

    (tmp_path / "x").write_bytes(b"abc" * 10**6)
    assert fast_hash(tmp_path / "x") == xxhash.xxh3_128(b"abc" * 10**6).hexdigest()


def test_a_seed_of_a_study_has_one_process_and_others_may_run_beside_it(tmp_path) -> None:
    from spkit.study.run import _seeds_locked

    with _seeds_locked(tmp_path, [0, 2]):
        with _seeds_locked(tmp_path, [1]):
            pass
        found = r"A seed of a study.*seed2 in use by process"
        with pytest.raises(InUseError, match=found), _seeds_locked(tmp_path, [1, 2]):
            pass
        with _seeds_locked(tmp_path, [1]):  # what was held before the refusal is free again
            pass
    assert not any(tmp_path.iterdir())
