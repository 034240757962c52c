"""The rewriter: decides on the graph which values get a probe, inserts and removes the probes, and says why not."""
