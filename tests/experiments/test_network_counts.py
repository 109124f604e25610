import pandas as pd
import pytest

from experiments.network_counts import main


def test_every_row_is_equal(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KTNAS_DATA", str(data_dir))
    arguments = ["--rows", "2", "--spaces", "transnas_macro,fbnet", "--out", str(tmp_path)]
    main(arguments)
    found = pd.read_csv(tmp_path / "network_counts.csv")
    assert found["space"].tolist() == ["transnas_macro", "transnas_macro", "fbnet"]
    assert (found[["parameters equal", "FLOPs equal"]] == 2).all(axis=None)
    assert "| fbnet | cifar100 | flopth | 2 | 2 | 2 |" in (tmp_path / "network_counts.md").read_text()
    capsys.readouterr()
    main(arguments)
    assert "fbnet | cifar100 | flopth | 2 | 2 | 2 | " not in capsys.readouterr().out.splitlines()[0]


def test_an_unknown_space_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--spaces", "resnet"])
    assert "there are transnas_micro" in capsys.readouterr().err
