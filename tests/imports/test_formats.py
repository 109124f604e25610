"""What is read of each format, against files built to the layout their authors publish."""

import builtins
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from ktnas.engine.benchmark import Benchmark, load_benchmark
from ktnas.errors import UserError
from ktnas.imports import import_benchmark
from ktnas.space import load_space
from tests.imports import files
from tests.imports.files import MACRO, MICRO, NASBENCH201


def loaded(*paths: Path, **options: object) -> Benchmark:
    import_benchmark(paths, "mine", **options)
    return load_benchmark("mine")


def metrics(benchmark: Benchmark, task: str, text: str) -> dict[str, float]:
    return benchmark.task(task).evaluate(benchmark.space.parse([text]))[0].metrics


def latency(benchmark: Benchmark, device: str, task: str, texts: list[str]) -> list[float]:
    return benchmark.device(device).latency(benchmark.space.parse(texts), task).tolist()


def test_suite_zero_scores_and_counts(tmp_path: Path) -> None:
    benchmark = loaded(files.suite_zero(tmp_path / "zc.json"))
    assert benchmark.space.name == "nasbench201"
    assert benchmark.tasks == ("cifar10", "cifar100")
    task = benchmark.task("cifar100")
    assert task.metrics == ("valid_accuracy", "params")
    assert task.free == ("params",)
    assert sorted(task.table()["params"]) == [250_000 + 1e6 * position for position in range(30)]
    np.testing.assert_allclose(task.error([90.0]), [10.0])


@pytest.mark.parametrize(
    ("file", "truth", "columns"),
    [
        ("zc_nasbench201.json.gz", "nasbench201_accuracy.csv.gz", {"cifar10": "cifar10_val"}),
        ("zc_transbench101_micro.json.gz", "transnas_micro_score.csv.gz", {"jigsaw": "jigsaw"}),
    ],
)
def test_suite_zero_samples_agree_with_the_tables(
    data_dir: Path, file: str, truth: str, columns: dict[str, str]
) -> None:
    import pandas as pd

    benchmark = loaded(data_dir / "formats" / file)
    expected = pd.read_csv(data_dir / truth).set_index("arch")
    for name, column in columns.items():
        task = benchmark.task(name)
        texts = benchmark.space.format(task.universe())
        np.testing.assert_allclose(
            task.table()[task.searched], expected.loc[texts, column].to_numpy(), atol=0.1
        )


def test_help_samples_agree_with_the_table(data_dir: Path) -> None:
    import pandas as pd

    names = ("gold_6226", "pixel3", "str_arch2idx")
    found = import_benchmark(
        [data_dir / "formats" / f"help_nasbench201_{name}.pt" for name in names], "phones"
    )
    table = pd.read_csv(found.directory / "latency.csv.gz")
    expected = pd.read_csv(data_dir / "nasbench201_latency_ms.csv.gz").set_index("arch").loc[table["arch"]]
    assert list(table) == ["arch", "gold_6226", "pixel3"]
    assert len(table) == 15_625
    np.testing.assert_allclose(table["pixel3"], expected["pixel3"], atol=1e-5)


def test_help_beside_scores_makes_devices(tmp_path: Path) -> None:
    texts = files.architectures(NASBENCH201, 15)
    lists = files.help_lists(tmp_path, {"phone": [float(3 + i) for i in range(15)]}, texts)
    benchmark = loaded(files.suite_zero(tmp_path / "zc.json"), *lists)
    assert benchmark.devices == ("phone",)
    assert latency(benchmark, "phone", "cifar10", texts[:2]) == [3, 4]


def test_help_of_fbnet(tmp_path: Path) -> None:
    import torch

    numbers = [[0] * 22, [8] * 22]
    torch.save({"arch": [{"op_idx_list": row} for row in numbers]}, tmp_path / "metainfo.pt")
    torch.save([5.0, 6.0], tmp_path / "fpga.pt")
    found = import_benchmark([tmp_path / "fpga.pt", tmp_path / "metainfo.pt"], "mine")
    assert found.provenance["space"] == "fbnet"
    assert found.tables["latency.csv.gz"]["columns"]["fpga"]["max"] == 6


@pytest.mark.parametrize("whole", [False, True])
def test_nats_bench(tmp_path: Path, whole: bool) -> None:
    texts = files.architectures(NASBENCH201, 3)
    source = files.nats_bench(tmp_path / "NATS-tss-v1_0-3ffb9-simple", texts)
    if whole:
        source = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
        infos = {
            number: {"200": files.nats_results(text, 60.0 + number)} for number, text in enumerate(texts)
        }
        files.write_pbz2(
            source, {"meta_archs": texts, "arch2infos": infos, "evaluated_indexes": set(range(3))}
        )
    benchmark = loaded(source)
    assert benchmark.tasks == ("cifar10", "cifar100", "ImageNet16-120")
    # the mean over two seeds whose accuracies are one apart; a set's is one more than that of the set before
    assert metrics(benchmark, "cifar10", texts[1]) == {
        "valid_accuracy": 61.5,
        "test_accuracy": 61.5,
        "params": 500_000,
        "flops": 40_250_000,
    }
    assert metrics(benchmark, "cifar100", texts[0])["test_accuracy"] == 61.5
    assert latency(benchmark, "gpu", "cifar100", texts[:1]) == [15]
    assert benchmark.config.reported == "test_accuracy"


def test_nats_bench_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = files.nats_bench(tmp_path / "simple", files.architectures(NASBENCH201, 1))
    for name in [name for name in sys.modules if name.startswith("nats_bench")]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def missing(name: str, *arguments: object, **options: object) -> object:
        if name.startswith("nats_bench"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match=r"pip install 'ktnas\[nats-bench\]'"):
        import_benchmark([source], "mine")


def test_hw_nas_bench_beside_scores(tmp_path: Path) -> None:
    texts = NASBENCH201.format(NASBENCH201.parse(_suite_texts(tmp_path)))
    source = files.hw_nas_bench(tmp_path / "HW-NAS-Bench-v1_0.pickle", texts)
    benchmark = loaded(tmp_path / "zc.json", source)
    assert benchmark.tasks == ("cifar10", "cifar100")
    assert benchmark.devices == ("edgegpu", "eyeriss")
    assert latency(benchmark, "edgegpu", "cifar10", texts[:2]) == [1, 2]
    assert latency(benchmark, "eyeriss", "cifar100", texts[:2]) == [1, 2]
    found = metrics(benchmark, "cifar10", texts[2])
    assert found["energy_mj"] == found["edgegpu_energy_mj"] == 30
    assert found["eyeriss_energy_mj"] == pytest.approx(0.3)
    assert "energy_mj" in benchmark.task("cifar10").free
    other = load_benchmark(
        {"name": "mine", "metrics": {**benchmark.config.metrics, "energy_mj": "eyeriss_energy_mj"}}
    )
    assert metrics(other, "cifar10", texts[2])["energy_mj"] == pytest.approx(0.3)


def test_hw_nas_bench_alone_has_latencies_of_every_data_set(tmp_path: Path) -> None:
    source = files.hw_nas_bench(tmp_path / "hw.pickle", files.architectures(NASBENCH201, 4))
    found = import_benchmark([source], "mine")
    assert {"latency_cifar10.csv.gz", "latency_ImageNet16-120.csv.gz"} <= set(found.tables)
    with pytest.raises(UserError, match="has no tasks, only latencies"):
        load_benchmark("mine").task("cifar10")


# an FBNet of nothing but 3x3 blocks of expansion 1, and its head, as the authors' code names the prices
SHAPES = {
    "cifar100": "32_16_16_1 32_16_24_1 32_24_24_1 32_24_24_1 32_24_24_1 32_24_32_2 16_32_32_1 16_32_32_1 "
    "16_32_32_1 16_32_64_2 8_64_64_1 8_64_64_1 8_64_64_1 8_64_112_1 8_112_112_1 8_112_112_1 8_112_112_1 "
    "8_112_184_2 4_184_184_1 4_184_184_1 4_184_184_1 4_184_352_1",
    "ImageNet": "112_16_16_1 112_16_24_2 56_24_24_1 56_24_24_1 56_24_24_1 56_24_32_2 28_32_32_1 28_32_32_1 "
    "28_32_32_1 28_32_64_2 14_64_64_1 14_64_64_1 14_64_64_1 14_64_112_1 14_112_112_1 14_112_112_1 "
    "14_112_112_1 14_112_184_2 7_184_184_1 7_184_184_1 7_184_184_1 7_184_352_1",
}
ENDS = {
    "cifar100": [
        "ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1",
        "ConvNorm_H4_W4_Cin352_Cout1504_kernel1_stride1_group1",
        "AvgP_H4_W4_Cin1504_Cout1504_kernel4_stride1",
        "FC_Cin1504_Cout100",
    ],
    "ImageNet": [
        "ConvNorm_H224_W224_Cin3_Cout16_kernel3_stride2_group1",
        "ConvNorm_H7_W7_Cin352_Cout1984_kernel1_stride1_group1",
        "AvgP_H7_W7_Cin1984_Cout1984_kernel7_stride1",
        "FC_Cin1984_Cout1000",
    ],
}


def test_hw_nas_bench_adds_up_the_blocks_of_fbnet(tmp_path: Path) -> None:
    prices: dict[str, float] = {}
    for dataset, shapes in SHAPES.items():
        for shape in shapes.split():
            size, wide, to, stride = shape.split("_")
            head = f"H{size}_W{size}_Cin{wide}_Cout{to}"
            prices[f"ConvBlock_{head}_exp1_kernel3_stride{stride}_group1"] = 1.0
            prices[f"ConvBlock_{head}_exp6_kernel5_stride{stride}_group1"] = 2.0
            prices[f"ConvBlock_{head}_exp1_kernel5_stride{stride}_group2"] = 3.0
            prices[f"Skip_{head}_stride{stride}"] = 0.5
        prices |= dict.fromkeys(ENDS[dataset], 10.0)
    source = files.hw_nas_bench(tmp_path / "hw.pickle", [], prices)
    table = tmp_path / "archs.csv"
    texts = ["|".join([block] * 22) for block in ("k3_e1", "k5_e6", "k5_e1_g2", "skip")]
    table.write_text("arch\n" + "\n".join(texts) + "\n")
    found = import_benchmark([source, table], "mine", space="fbnet")
    for dataset in SHAPES:
        summary = found.tables[f"latency_{dataset}.csv.gz"]["columns"]["pixel3"]
        assert (summary["min"], summary["max"]) == (40 + 22 * 0.5, 40 + 22 * 3)


def test_hw_nas_bench_of_fbnet_needs_architectures(tmp_path: Path) -> None:
    source = files.hw_nas_bench(tmp_path / "hw.pickle", [], {"FC_Cin1504_Cout100": 1.0})
    with pytest.raises(UserError, match=r"prices of blocks.*Name a file of architectures"):
        import_benchmark([source], "mine", space="fbnet")


def test_transnas_bench_101(tmp_path: Path) -> None:
    micro, macro = files.architectures(MICRO, 3), files.architectures(MACRO, 2)
    source = files.transnas(tmp_path / "transnas-bench_v10141024.pth", {"micro": micro, "macro": macro})
    benchmark = loaded(source, space="transnas_micro")
    assert benchmark.space.name == "transnas_micro"
    # validation is best at the second epoch, and the test score is that of the same epoch
    assert metrics(benchmark, "normal", micro[1]) == {
        "valid_score": 3,
        "test_score": 20,
        "params": 2_500_000,
        "flops": 100_000_000,
    }
    assert benchmark.task("class_object").error([90.0]).tolist() == [10]
    assert benchmark.task("room_layout").error([-0.5]).tolist() == [0.5]
    with pytest.raises(UserError, match="transnas_micro and transnas_macro: say --space NAME"):
        import_benchmark([source], "other")
    assert len(loaded(source, space="transnas_macro", replace=True).task("normal").universe()) == 2


def test_mtlp_jr(data_dir: Path) -> None:
    paths = [data_dir / f"mobilenetv3_mtlp_jr_{part}.csv" for part in ("train", "valid")]
    benchmark = loaded(*paths)
    task = benchmark.task("imagenet")
    assert len(task.universe()) == 2430
    assert benchmark.devices == ("gpu",)
    row = task.table().iloc[0]
    assert (row["params"], row["flops"]) == (4_966_736, 146_404_224)
    np.testing.assert_allclose(benchmark.device("gpu").latency(task.universe()[:1], "imagenet"), [16.2036])


def test_csv(tmp_path: Path) -> None:
    first, second, third = files.architectures(MICRO, 3)
    table = tmp_path / "t.csv"
    table.write_text(
        f"cell,photos,sketches,phone,note\n{first},1,2,3,a\n{second},,4,5,b\n{third},nan,inf,-,c\n".replace(
            "-,c", ",c"
        )
    )
    found = import_benchmark(
        [table], "mine", space="transnas_micro", arch="cell", devices=["phone"], tasks=["sketches"]
    )
    assert found.provenance["tasks"] == ["sketches"]
    assert found.tables["scores_sketches.csv.gz"]["rows"] == 2
    assert any("'note'" in note for note in found.provenance["notes"])
    benchmark = load_benchmark("mine")
    assert metrics(benchmark, "sketches", second) == {"score": 4}
    np.testing.assert_array_equal(latency(benchmark, "phone", "sketches", [first, third]), [3, np.nan])


def test_rows_of_several_csv_files_are_put_together(tmp_path: Path) -> None:
    texts = files.architectures(MICRO, 4)
    for number, pair in enumerate((texts[:2], texts[2:])):
        (tmp_path / f"{number}.csv").write_text("arch,score\n" + "".join(f"{text},1\n" for text in pair))
    found = import_benchmark([tmp_path / "0.csv", tmp_path / "1.csv"], "mine", space="transnas_micro")
    assert found.tables["scores_score.csv.gz"]["rows"] == 4


def test_first_file_counts_where_two_have_the_same_column(tmp_path: Path) -> None:
    texts = NASBENCH201.format(NASBENCH201.parse(_suite_texts(tmp_path)))
    source = files.nats_bench(tmp_path / "simple", texts[:2])
    benchmark = loaded(tmp_path / "zc.json", source, tasks=["cifar10"])
    assert metrics(benchmark, "cifar10", texts[1])["valid_accuracy"] == 51
    assert metrics(benchmark, "cifar10", texts[1])["test_accuracy"] == 61.5
    assert benchmark.config.reported == "test_accuracy"


def test_nothing_is_imported_of_a_foreign_pickle(tmp_path: Path) -> None:
    source = files.hw_nas_bench(tmp_path / "hw.pickle", files.architectures(NASBENCH201, 2))
    assert b"numpy" in source.read_bytes()
    assert pickle.loads(source.read_bytes()).keys() == {"nasbench201", "fbnet"}
    assert import_benchmark([source], "mine").provenance["formats"] == ["hw_nas_bench"]


def _suite_texts(directory: Path) -> list[str]:
    import json

    return list(json.loads(files.suite_zero(directory / "zc.json").read_text())["cifar10"])


def test_spaces_of_the_suite_are_told_apart() -> None:
    assert load_space("nasbench201").parse(["(0, 2, 3, 2, 3, 1)"]).shape == (1, 6)
