"""The demo: one edit of a real photograph through a server of its own, with every picture on the way.

`layout.png` and `edited.png` are label maps drawn for scikit-learn's `china.jpg` (photograph by danielbuechele, CC BY
2.0): the same view before, and after the bushes on the right bank have made way for the lake.
"""
