"""Draft pictures from labelled boxes: Layout2Im (Zhao, Meng, Yin, Sigal, CVPR 2019), from data to metrics."""
