"""Releases: what a built site becomes in a bucket, how it gets there, and how long it stays.

Of what comes in thousands (:class:`Listed`, :class:`Headers`, :class:`Piece`, :class:`Entry`) the values are named tuples: a
frozen dataclass takes three times as long to make and to compare, and a deploy that finds nothing to do does little else.
"""
