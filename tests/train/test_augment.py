import pytest
import torch

from ktnas.train.augment import augmented


def images_of(size: int, n: int = 60) -> torch.Tensor:
    return torch.arange(1.0, 2 * size * size + 1).reshape(1, 2, size, size).repeat(n, 1, 1, 1)


@pytest.mark.parametrize(("size", "most"), [(4, 1), (8, 1), (32, 4)])
def test_images_are_shifted_by_up_to_an_eighth(size: int, most: int) -> None:
    images = images_of(size)
    shifted = augmented(images, False, torch.Generator().manual_seed(0))
    assert shifted.shape == images.shape
    seen = set()
    for image, found in zip(images, shifted, strict=True):
        framed = torch.nn.functional.pad(image, (most,) * 4)
        places = [
            (row, column)
            for row in range(2 * most + 1)
            for column in range(2 * most + 1)
            if torch.equal(framed[:, row : row + size, column : column + size], found)
        ]
        assert len(places) == 1
        seen.update(places)
    assert {row for row, _ in seen} == {column for _, column in seen} == set(range(2 * most + 1))


def test_half_of_the_images_are_mirrored_where_asked() -> None:
    images = images_of(4, 100)
    generator = torch.Generator().manual_seed(1)
    mirrored = augmented(images, True, generator)[:, 0, 2, 1] > augmented(images, True, generator)[:, 0, 2, 2]
    assert 30 < int(mirrored.sum()) < 70


def test_same_generator_same_images() -> None:
    first, again = (augmented(images_of(8), True, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, again)
