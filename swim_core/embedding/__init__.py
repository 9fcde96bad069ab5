"""What every adapter does alike: arguments checked, events queued, log messages worded."""
