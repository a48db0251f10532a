"""The edge to IPython and Jupyter. The only package that imports them."""
