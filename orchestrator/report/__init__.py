"""What can be said of runs, section by section; how it is drawn is the business of `orchestrator.cli`."""
