from __future__ import annotations

import pytest

from anomscan.detectors.kernel import describe, kernel_name


@pytest.fixture(scope="module", params=["numpy", "native"])
def kernel(request):
    """The test runs once on NumPy and once on the compiled kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ANOMSCAN_KERNEL", raising=False)
        if request.param == "native" and kernel_name() == "numpy":
            pytest.skip(describe())
        patch.setenv("ANOMSCAN_KERNEL", request.param)
        yield request.param
