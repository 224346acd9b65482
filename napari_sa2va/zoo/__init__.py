"""Which checkpoints exist, where they are, and what this machine can run."""

from napari_sa2va.zoo.catalogue import CATALOGUE, DEMO, Capability, Checkpoint, Family, find
from napari_sa2va.zoo.fit import MemoryNeed, check_fits, estimate
from napari_sa2va.zoo.machine import Device, Machine, device_named, devices, inspect_machine
from napari_sa2va.zoo.report import Report, make_report
from napari_sa2va.zoo.resolve import resolve

__all__ = [
    "CATALOGUE",
    "DEMO",
    "Capability",
    "Checkpoint",
    "Device",
    "Family",
    "Machine",
    "MemoryNeed",
    "Report",
    "check_fits",
    "device_named",
    "devices",
    "estimate",
    "find",
    "inspect_machine",
    "make_report",
    "resolve",
]
