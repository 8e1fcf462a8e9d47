"""Building a commit with real little toolchains: in time, in a closed environment, and from an artefact where that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.building.build import artefacts_of
from defib.building.built import Built, Kind
from defib.errors import BudgetSpent, Interrupted, LeaseLost, Refused, StepFailed
from tests.building.workshop import COMMIT, COMMITTED, INDEX, Registry, Workshop, registry, site
from tests.test_process import eventually, is_alive

GOOD = f"mkdir -p public && echo '{INDEX}' > public/index.html"
OTHER = "0a" * 20


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """An empty work tree and an empty home."""
    (tmp_path / "tree").mkdir()
    return Workshop(tmp_path)


@pytest.fixture
def packages() -> Iterator[Registry]:
    """A registry that is up."""
    with registry() as one:
        yield one


def kept(shop: Workshop) -> list[str]:
    """The names in the folder of artefacts."""
    return sorted(each.name for each in artefacts_of("lab", shop.home).folder.iterdir())


def served(built: Built) -> dict[str, str]:
    """What would be uploaded."""
    return {file.path: (built.folder / file.path).read_text() for file in built.files}


class TestBuilding:
    """A build that succeeds."""

    def test_flutter(self, shop: Workshop, packages: Registry) -> None:
        """A Flutter application is compiled from its sources and the registry's packages, recognised, and kept."""
        built = shop.build(shop.flutter(packages))
        assert (COMMIT, Kind.FLUTTER, False, "") == (built.commit, built.kind, built.cached, built.why_cached)
        assert built.build is not None
        assert (COMMIT, COMMITTED) == (built.build.id, built.build.built)
        assert [skipped.path for skipped in built.skipped] == [".last_build_id"]
        assert list(served(built)) == ["flutter_bootstrap.js", "index.html", "main.dart.js"]
        assert served(built)["main.dart.js"] == f"// built for {COMMIT}\n/* /intl */\nconsole.log('pulse');"
        assert shop.lines == ["Resolving intl", "Compiled lib/main.dart for the Web"]
        assert (3, sum(file.size for file in built.files)) == (built.count, built.size)
        assert built.took > timedelta(0)

    def test_any_other(self, shop: Workshop) -> None:
        """A static site is built by whatever command it has; the files outlive the work tree, links become files."""
        built = shop.build(shop.script(f"{GOOD}; ln -s index.html public/start.html"))
        (shop.tree / "public" / "index.html").unlink()
        assert built.kind is Kind.STATIC
        assert served(built) == {"index.html": f"{INDEX}\n", "start.html": f"{INDEX}\n"}
        assert not [each for each in built.folder.rglob("*") if each.is_symlink()]

    def test_again(self, shop: Workshop) -> None:
        """The same build again is the same artefact: nothing is kept twice."""
        folders = {shop.build(shop.script(GOOD)).folder for _ in range(2)}
        assert len(folders) == len(kept(shop)) == 1

    def test_nothing_of_ours_leaks(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """The build sees its own environment and none of ours: no token, no key, no proxy, and a HOME of its own."""
        for name in ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "DEFIB_HOME", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "hidden-value")
        shop.build(shop.script(f"env; ls -A $HOME; echo cached > $HOME/cache; {GOOD}", path=["bin"]))
        seen = dict(line.split("=", 1) for line in shop.lines)
        names = {"PATH", "HOME", "LANG", "CI", "SOURCE_DATE_EPOCH", "DEFIB_COMMIT", "DEFIB_COMMITTED", "DEFIB_FAMILY"}
        assert names == set(seen) - {"PWD", "OLDPWD", "SHLVL", "_"}  # those the shell itself sets
        assert "hidden-value" not in " ".join(shop.lines)
        assert seen["PATH"].split(os.pathsep)[0] == str(shop.home.path / "bin")
        assert Path(seen["HOME"]).is_relative_to(shop.home.path)
        assert not Path(seen["HOME"]).exists()

    def test_marker_by_variables(self, shop: Workshop) -> None:
        """A build writes its marker from DEFIB_COMMIT and DEFIB_COMMITTED alone."""
        page = """'<title>Pulse Trading</title><meta name="build" content="'$DEFIB_COMMIT $DEFIB_COMMITTED'">'"""
        built = shop.build(shop.script(f"mkdir public; echo {page} > public/index.html"), commit=OTHER)
        assert built.build is not None
        assert (OTHER, COMMITTED) == (built.build.id, built.build.built)


class TestFailing:
    """A build that fails, and no artefact to take its place."""

    def test_exit_code(self, shop: Workshop) -> None:
        """R4: the command, its exit code and its last lines are told, and nothing is kept."""
        with pytest.raises(StepFailed, match="the build failed") as caught:
            shop.build(shop.script("seq 30; echo 'lib/main.dart:3: no such type' >&2; exit 65"))
        assert caught.value.where == f"./build.sh, at {COMMIT}"
        assert caught.value.seen.startswith("exit 65; 20\n21\n")
        assert "30\nlib/main.dart:3: no such type (no artefact of this commit in " in caught.value.seen
        assert kept(shop) == []

    def test_registry_down(self, shop: Workshop, packages: Registry) -> None:
        """R18: with the registry down and no artefact, the cause stands in the error as the toolchain said it."""
        site = shop.flutter(packages)
        packages.stop()
        with pytest.raises(StepFailed) as caught:
            shop.build(site)
        assert "exit 69" in caught.value.seen
        assert f"Got an error trying to find package intl at {packages.url}" in caught.value.seen
        assert "Connection refused" in caught.value.seen

    def test_registry_that_hangs(self, shop: Workshop, packages: Registry) -> None:
        """R18: a build that waits for a registry for ever ends with its budget, which is named with its last lines."""
        site = shop.flutter(packages)
        packages.hangs.set()
        with pytest.raises(BudgetSpent, match=r"did not end within 5\.0 s") as caught:
            shop.build(site, seconds=5)
        assert caught.value.seen.startswith("Resolving intl (no artefact")

    def test_toolchain_missing(self, shop: Workshop) -> None:
        """R18: a toolchain that is not there is named."""
        with pytest.raises(StepFailed, match="cannot start flutterr: No such file"):
            shop.build(site(["flutterr", "build"], "build/web"))

    def test_half_a_line(self, shop: Workshop) -> None:
        """E13: of a line of which only the end was kept nothing is told: half of a secret is not known as one."""
        with pytest.raises(StepFailed) as caught:
            shop.build(shop.script("echo token=abcdef$(seq -s. 2000); echo failed; exit 1"))
        assert caught.value.seen.startswith("exit 1; failed (no artefact")

    def test_killed(self, shop: Workshop) -> None:
        """A build that a signal ended says which."""
        with pytest.raises(StepFailed) as caught:
            shop.build(shop.script("kill -9 $$"))
        assert caught.value.seen.startswith("ended by SIGKILL, as the kernel does where memory is short; no output")

    @pytest.mark.parametrize(
        ("script", "why"),
        [
            ("true", "left no output"),
            ("mkdir public; echo > public/main.js", "there is no index.html"),
            (f"{GOOD}; cp $0 public/.git", ".git is a Git repository"),
            (
                f"{GOOD}; printf 'version https://git-lfs.github.com/spec/v1\\noid x' > public/a.png",
                "a.png is a Git LFS pointer",
            ),
            (f"{GOOD}; ln -s $HOME public/home", "home is a link that leads nowhere"),
            (f"{GOOD}; ln -s /etc public/etc", "etc is a link that leaves the output, to /etc"),
            (f"{GOOD}; mkfifo public/pipe", "pipe is a pipe"),
        ],
    )
    def test_output(self, shop: Workshop, script: str, why: str) -> None:
        """R4, R5, R14: a build that ends well and leaves what must not be served is refused, and not kept."""
        with pytest.raises(Refused, match=why):
            shop.build(shop.script(script))
        assert kept(shop) == []

    @pytest.mark.parametrize("output", ["../elsewhere", "/etc", "link"])
    def test_output_elsewhere(self, shop: Workshop, output: str) -> None:
        """R14: an output that is not in the work tree is refused, also where a link leads out."""
        with pytest.raises(Refused, match="the output is not in the work tree"):
            shop.build(shop.script("mkdir -p ../elsewhere; ln -s ../elsewhere link", output))


class TestArtefacts:
    """A build that fails, and an artefact of the same commit."""

    def test_registry_down(self, shop: Workshop, packages: Registry) -> None:
        """R18: the artefact of the same commit is used when the registry is down, and the result says so and why."""
        site = shop.flutter(packages)
        first = shop.build(site)
        shop.clean()
        packages.stop()
        second = shop.build(site)
        assert second.cached
        assert "the build failed; exit 69" in second.why_cached
        assert "Connection refused" in second.why_cached
        assert (first.folder, first.kind, first.files, first.build, first.skipped) == (
            second.folder,
            second.kind,
            second.files,
            second.build,
            second.skipped,
        )

    def test_budget(self, shop: Workshop, packages: Registry) -> None:
        """R18: also when the build hangs through the whole step's budget: a part of it is held back for the artefact."""
        site = shop.flutter(packages)
        shop.build(site)
        shop.clean()
        packages.hangs.set()
        built = shop.build(site, seconds=5)
        assert built.why_cached == "the build did not end within 4.5 s; its processes were ended; Resolving intl"

    def test_toolchain_missing(self, shop: Workshop, packages: Registry) -> None:
        """R18: also when the toolchain is gone."""
        site = shop.flutter(packages)
        shop.build(site)
        (shop.home.path / "toolchain" / "flutter").unlink()
        assert "cannot start flutter: No such file" in shop.build(site).why_cached

    def test_bad_output(self, shop: Workshop) -> None:
        """R4, R18: also when the build ends well and leaves what must not be served."""
        site = shop.script(f"test -e broken || {{ {GOOD}; }}; test ! -e broken || rm -rf public")
        shop.build(site)
        shop.write("broken", "")
        assert "the build left no output" in shop.build(site).why_cached

    def test_of_another_commit(self, shop: Workshop, packages: Registry) -> None:
        """R18: never one of another commit."""
        site = shop.flutter(packages)
        shop.build(site, commit=OTHER)
        shop.clean()
        packages.stop()
        with pytest.raises(StepFailed, match="no artefact of this commit"):
            shop.build(site)

    def test_of_another_command(self, shop: Workshop) -> None:
        """R18: nor one that another command made."""
        shop.build(shop.script(GOOD))
        with pytest.raises(StepFailed, match="was made by another command"):
            shop.build(site(["false"], "public"))

    def test_that_is_not_whole(self, shop: Workshop, packages: Registry) -> None:
        """R18: nor one that has changed by a byte since it was kept; the next good build puts it right."""
        site = shop.flutter(packages)
        program = shop.build(site).folder / "main.dart.js"
        good = program.read_bytes()
        program.write_bytes(good[:-1] + b"!")
        shop.clean()
        packages.hangs.set()
        with pytest.raises(BudgetSpent, match="is not whole: its files are not those of its manifest"):
            shop.build(site, seconds=2)
        packages.hangs.clear()
        again = shop.build(site)
        assert (False, good) == (again.cached, (again.folder / "main.dart.js").read_bytes())

    def test_interruption(self, shop: Workshop) -> None:
        """E3: whoever stops the run gets no artefact for it, and the build's processes are dead."""
        site = shop.script(f"{GOOD}; test ! -e again || {{ echo $$; sleep 600; }}")
        shop.build(site)
        shop.write("again", "")

        def line(text: str) -> None:
            shop.lines.append(text)
            shop.clock.interrupt()

        with pytest.raises(Interrupted):
            shop.build(site, line=line)
        shop.clock.resume()
        assert not is_alive(int(shop.lines[-1]))

    def test_run_that_is_over(self, shop: Workshop) -> None:
        """A run that lost its lease while its build printed goes on with nothing."""

        def line(text: str) -> None:
            raise LeaseLost(text)

        shop.build(shop.script(f"echo taken; {GOOD}"))
        with pytest.raises(LeaseLost, match="taken"):
            shop.build(shop.script(f"echo taken; {GOOD}"), line=line)


def test_nothing_outlives_the_budget(shop: Workshop) -> None:
    """E6: a build that ignores SIGTERM, with a child in the group and one that left it, is dead when its time is over."""
    script = (
        "trap '' TERM; echo $$; sh -c 'echo $$; exec sleep 600' & setsid sh -c 'trap \"\" TERM; echo $$; sleep 600' & wait"
    )
    with pytest.raises(BudgetSpent):
        shop.build(shop.script(script), seconds=3)
    assert len(shop.lines) == 3
    assert not [line for line in shop.lines if not eventually(shop.clock, lambda: not is_alive(int(line)))]  # noqa: B023
