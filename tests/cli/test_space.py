import pytest
from typer.testing import CliRunner

from ktnas.cli.space import app
from ktnas.errors import UserError
from ktnas.space import list_spaces, load_space


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def test_list_names_every_space_with_its_size():
    output = run("list").output
    assert all(name in output for name in list_spaces())
    assert "157,464" in output
    assert "26,206" in output


@pytest.mark.parametrize("name", list_spaces())
def test_show_tells_what_a_space_is_made_of(name):
    space = load_space(name)
    output = run("show", name).output
    for told in (space.paper, space.text, space.example, *space.operations, *space.variables):
        assert told in output


def test_show_reads_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "{name: mine, family: edge_cell, description: mine, paper: none, nodes: 12, operations: [a, '[b]'], "
        f"distinct: canonical, text: '{' '.join(f'{{edge_{i}_{j}}}' for j in range(12) for i in range(j))}'}}"
    )
    output = run("show", path).output
    assert "too many to count" in output
    assert "[b]" in output


@pytest.mark.parametrize("name", list_spaces())
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_draw_writes_a_picture(tmp_path, name, suffix):
    path = tmp_path / f"cell.{suffix}"
    result = run("draw", name, load_space(name).example, "--out", path, "--pruned")
    assert result.exit_code == 0
    assert f"Wrote {path}" in result.output
    assert path.read_bytes().startswith(b"<?xml" if suffix == "svg" else b"\x89PNG")


def test_draw_names_the_file_after_the_space(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("draw", "nasbench201", load_space("nasbench201").example)
    assert (tmp_path / "nasbench201.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nasbench301"), "Did you mean nasbench201"),
        (("draw", "nasbench201", "|conv|"), "Expected the form"),
        (("draw", "transnas_micro", "64-41414-2_22_203", "--out", "cell.pdf"), "must end in .svg or .png"),
    ],
)
def test_a_mistake_is_one_message(arguments, message):
    with pytest.raises(UserError, match=message):
        run(*arguments)
