"""The drawn world as a source of video: clips of one cast in other places and poses, and what reads them."""
