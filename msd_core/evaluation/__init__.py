"""How well pictures show their subjects and their prompt: the paper's four metrics, and what these four miss."""
