"""What all tests share: options and reports, and fixtures."""

pytest_plugins = ["muster.reporting", "muster.fixtures", "muster.traffic.loadgen"]
