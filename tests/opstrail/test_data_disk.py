import math
from pathlib import Path

from prometheus_client import REGISTRY

from opstrail.data_disk import watch_disk


def test_a_folder_that_is_gone_tells_no_number_and_breaks_no_answer(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    watch_disk(folder)
    free, size = (
        REGISTRY.get_sample_value(f"opstrail_data_disk_{name}") for name in ("free_bytes", "bytes")
    )
    assert free is not None
    assert size is not None
    assert 0 < free <= size

    folder.rmdir()
    gone = REGISTRY.get_sample_value("opstrail_data_disk_free_bytes")
    assert gone is not None
    assert math.isnan(gone)
