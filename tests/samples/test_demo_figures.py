"""The bounds that the shipped demo checkpoint must reach, on a hundred held-out scenes."""

from __future__ import annotations

import pytest

from napari_sa2va.model import Sa2VA
from napari_sa2va.samples import demo_folder
from napari_sa2va.training.first_figures import referring_figures, region_figures, tracking_figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def demo() -> Sa2VA:
    return Sa2VA.from_pretrained(demo_folder(), device="cpu", dtype="float32")


def test_expressions(demo: Sa2VA) -> None:
    figures = referring_figures(demo, scenes=100)
    assert figures["all attributes"].iou >= 0.80
    assert figures["plural"].iou >= 0.60


def test_regions(demo: Sa2VA) -> None:
    assert region_figures(demo, scenes=200)["attributes"] >= 0.90


def test_tracking(demo: Sa2VA) -> None:
    assert tracking_figure(demo, clips=24) >= 0.75
