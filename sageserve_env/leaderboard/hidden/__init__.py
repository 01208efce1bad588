"""A split that nobody can train on: traffic of sources that the public splits do not play, by seeds committed beforehand."""
