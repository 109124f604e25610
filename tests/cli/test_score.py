import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ktnas.cli.score import score
from ktnas.errors import UserError
from ktnas.registry import PLUGINS

TEXT = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"

app = typer.Typer()
app.command()(score)


def run(*arguments):
    return CliRunner().invoke(app, ["nasbench201", *map(str, arguments)], catch_exceptions=False)


def test_scores_are_printed_and_written(tmp_path):
    out = tmp_path / "scores.csv"
    done = run(TEXT, "--sample", 1, "--proxies", "params, nwot", "--size", 8, "--out", out)
    assert done.exit_code == 0
    assert all(word in done.stdout for word in (TEXT, "params", "nwot", f"Wrote {out}"))
    assert "2/2 scored" in done.stderr
    table = pd.read_csv(out)
    assert list(table) == ["arch", "params", "nwot"]
    assert table["arch"][0] == TEXT
    assert table["params"].min() > 70_000


def test_architectures_come_from_files(tmp_path):
    lines, table, out = (tmp_path / name for name in ("archs.txt", "archs.csv", "out.csv"))
    lines.write_text(f"{TEXT}\n\n  {TEXT}\n")
    pd.DataFrame({"arch": [TEXT], "accuracy": [90]}).to_csv(table, index=False)
    for file, count in ((lines, 2), (table, 1)):
        run("--file", file, "--proxies", "params", "--out", out)
        assert pd.read_csv(out)["arch"].tolist() == [TEXT] * count


def test_what_is_not_defined_is_a_dash_and_an_empty_field(tmp_path):
    out = tmp_path / "out.csv"
    done = run(TEXT, "--proxies", "epe_nas", "--task", "imagenet", "--size", 8, "--batch", 2, "--out", out)
    assert "–" in done.stdout
    assert out.read_text().endswith(",\n")


def test_long_tables_are_cut():
    assert "… and 3 more" in run("--sample", 23, "--proxies", "params").stdout


def test_help_names_every_proxy():
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert all(name in text for name in PLUGINS["proxy"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No architectures"),
        ([TEXT, "--proxies", "synflwo"], "Did you mean synflow"),
        ([TEXT, "--task", "cifar"], "Did you mean cifar10"),
        ([TEXT, "--device", "cuda:99"], "torch finds"),
        (["nonsense"], "Cannot read 'nonsense'"),
        (["--file", "absent.txt"], "absent.txt: cannot be read: No such file"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(UserError, match=message):
        run(*arguments)


def test_a_file_without_architectures_is_refused(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("name,score\nx,1\n")
    with pytest.raises(UserError, match="no column 'arch' among name, score"):
        run("--file", path)
