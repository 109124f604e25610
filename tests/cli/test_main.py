import subprocess
import sys

import pytest

from ktnas.cli.main import COMMANDS, main
from ktnas.version import __version__


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(arguments, capsys):
    assert main(arguments) == 0

    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ktnas {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"ktnas {command}" in capsys.readouterr().out


def test_unknown_command_names_the_nearest(capsys):
    assert main(["serach"]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: Unknown command 'serach'. Did you mean search")


@pytest.mark.parametrize("arguments", [["export", "--formt", "csv"], ["space", "shwo"], ["compare"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err


def test_help_loads_nothing_heavy():
    check = (
        "import sys; from ktnas.cli.main import main; main(['--help']);"
        "print({'torch', 'matplotlib', 'hydra', 'numpy', 'typer'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


def test_search_help_loads_no_torch():
    check = (
        "import sys; from ktnas.cli.main import main; main(['search', '--help']);"
        "print({'torch', 'matplotlib', 'sklearn'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "ktnas", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"ktnas {__version__}\n"
