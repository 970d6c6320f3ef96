"""The games in the dress of reinforcement learning. Knows the engine only; `pip install 'duelist[rl]'`."""
