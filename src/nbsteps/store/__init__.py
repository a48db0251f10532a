"""Where results and history are kept. The only package that imports duckdb."""
